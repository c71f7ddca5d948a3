import { expect, it } from 'vitest';
import { jobConfigSchema } from '../../src/config/job.ts';
import { estimateJob, type ProbedTrajectory } from './estimate-figures.ts';

const config = jobConfigSchema.parse({
  ...{ name: 'a', flow: '/a.ts', rounds: 10, rollout: { groupSize: 4, groupsPerRound: 5, maxStaleness: 1 } },
  ...{ evaluation: { every: 4 }, checkpoint: { keep: 2 } },
});
const probed = (tokensIn: number): ProbedTrajectory => ({
  tokensIn,
  tokensOut: 1,
  cost: 0.5,
  seconds: 36,
  learnerSeconds: 9,
  rowBytes: 100,
});
const common = { config, heldOut: 3, hasRule: true, parameters: 1000, groups: 1, failed: 0 };

it('scales the probe to training, evaluations and baselines', () => {
  const estimate = estimateJob({ ...common, trajectories: [probed(90), probed(110)] });
  // Evaluations at 4, 8 and 10; do-nothing, 8 random, untrained and rule.
  expect(estimate).toMatchObject({ trainingTrajectories: 200, evaluationFlows: 3 * (3 + 11), costIsMetered: true });
  const flows = 242;
  expect(estimate.tokensIn.expected).toBeCloseTo(100 * flows);
  expect(estimate.tokensIn.low).toBeCloseTo(80 * flows);
  expect(estimate.tokensIn.high).toBeCloseTo(120 * flows);
  expect(estimate.cost).toEqual({ low: 121, expected: 121, high: 121 });
  expect(estimate.rolloutHours.expected).toBeCloseTo(2.42);
  // Nothing is learned from evaluations.
  expect(estimate.learnerHours.expected).toBeCloseTo(0.5);
  expect(estimate.diskBytes.expected).toBe(100 * flows + 7 * 12_000);
});

it('says so where nothing is metered, or nothing could be run', () => {
  const free = estimateJob({ ...common, trajectories: [{ ...probed(0), cost: 0 }] });
  expect([free.costIsMetered, free.cost.high]).toEqual([false, 0]);
  expect(estimateJob({ ...common, trajectories: [], failed: 4 }).tokensIn).toEqual({ low: 0, expected: 0, high: 0 });
});
