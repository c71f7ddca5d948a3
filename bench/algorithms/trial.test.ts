import { describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { runTrial, trialConfig, type TrialSetup } from './trial.ts';

const job = fileURLToPath(new URL('../../docs/first-flow/job.yaml', import.meta.url));
const quick = ['rounds=6', 'evaluation.every=3', 'rollout.groupsPerRound=2', 'rollout.groupSize=4', 'evaluation.baselines=false'];
const setup = (more: Partial<TrialSetup> = {}): TrialSetup => ({ job, overrides: quick, target: 0, ...more });

describe('runTrial', () => {
  it('gives the same curve and the same metrics every time', async () => {
    const [one, two] = [await runTrial(setup()), await runTrial(setup())];
    expect(one.state).toBe('SUCCEEDED');
    expect(one.curve.map(({ round, trajectories }) => [round, trajectories])).toEqual([
      [3, 24],
      [6, 48],
    ]);
    expect(one.curve.map(({ success }) => success)).toEqual(two.curve.map(({ success }) => success));
    expect(one.metrics).toEqual(two.metrics);
    expect(one.toTarget?.round).toBe(3);
    expect(one.ledger.trained + one.ledger.filtered).toBe(12);
  });

  it('makes every group as old as allowed when learners are slow, and none when η is 0', async () => {
    const stale = await runTrial(setup({ overrides: [...quick, 'rounds=12', 'rollout.maxStaleness=4'], learnerDelayMs: 200 }));
    expect(stale.staleness.max).toBe(4);
    expect(stale.staleness.mean).toBeGreaterThan(2);
    const fresh = await runTrial(setup({ overrides: [...quick, 'rollout.maxStaleness=0'], learnerDelayMs: 200 }));
    expect(fresh.staleness).toEqual({ mean: 0, max: 0 });
  });
});

describe('trialConfig', () => {
  it("puts the trial's algorithm in the place of the job's", () => {
    expect(trialConfig(setup({ algorithm: { name: 'grpo', std: 'none' } })).algorithm).toMatchObject({
      std: 'none',
      entropy: 0.02,
    });
    expect(trialConfig(setup({ overrides: ['algorithm.entropy=0.5'] })).algorithm.entropy).toBe(0.5);
    expect(() => trialConfig(setup({ algorithm: { name: 'grpo', nonsense: 1 } }))).toThrow(/nonsense/);
  });
});
