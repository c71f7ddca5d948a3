import { beforeAll, describe, expect, it } from 'vitest';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { algorithmSchema, criticOf, METHODS } from '../../algo/registry.ts';
import { systemClock } from '../../clock/system.ts';
import { initCompute } from '../../compute/backend.ts';
import { PlannerLearner } from '../planner/learner/learner.ts';
import { createPlanner } from '../planner/planner.ts';
import type { LearnerGroup } from '../policy.ts';
import { dice, livelyParameters, randomGroup, smallSpec } from '../planner/testing.ts';
import { computeGradients, computeGradientsInSlices, evaluateInSlices } from './gradient.ts';

beforeAll(() => initCompute());

const NAMES = Object.keys(METHODS) as AlgorithmConfig['name'][];
/** Wide bounds: at the edge of a clip there is no slope to compare with. */
const wide = (name: string): AlgorithmConfig => {
  const bounds = { clipLow: 0.9, clipHigh: 9 };
  const result = algorithmSchema.safeParse({ name, entropy: 0.1, ...bounds });
  return result.success ? result.data : algorithmSchema.parse({ name, entropy: 0.1 });
};

/** Groups with every column that some method wants. */
function groups(spec: ReturnType<typeof smallSpec>, count = 3): LearnerGroup[] {
  const roll = dice(5);
  const near = (value: number): number => value + (roll(100) - 50) / 400;
  return Array.from({ length: count }, (_, g) => {
    const group = randomGroup(spec, 70 + g);
    const acted = group.experience.logProbabilities;
    return {
      ...group,
      proximal: acted.map(near),
      reference: acted.map(near),
      values: acted.map(() => near(0.3)),
      valueTargets: acted.map(() => near(0.5)),
      rewards: group.valid.map(() => near(0.5)),
    };
  });
}

describe('gradients of every method', () => {
  it.each(NAMES)('%s agrees with finite differences in every tensor', (name) => {
    const algorithm = wide(name);
    const spec = smallSpec('bag', criticOf(algorithm) ? { value: true } : {});
    const values = livelyParameters(spec);
    const planner = createPlanner(spec, values);
    const batch = groups(spec);
    const { gradient, statistics } = computeGradients(new PlannerLearner(planner), batch, algorithm);
    expect(Object.values(statistics).every(Number.isFinite), JSON.stringify(statistics)).toBe(true);
    expect(gradient.some((value) => value !== 0)).toBe(true);
    const lossAt = (parameters: Float32Array): number => {
      planner.load(parameters);
      return computeGradients(new PlannerLearner(planner), batch, algorithm).statistics['loss']!;
    };
    for (const { name: tensor, offset, size } of planner.layout) {
      const own = gradient.subarray(offset, offset + size);
      const length = Math.hypot(...own);
      if (length < 1e-4) continue;
      const step = 0.003;
      const moved = (sign: number): Float32Array => {
        const result = values.slice();
        own.forEach((value, i) => (result[offset + i]! += (sign * step * value) / length));
        return result;
      };
      const slope = (lossAt(moved(1)) - lossAt(moved(-1))) / (2 * step);
      expect(Math.abs(slope - length), `${tensor}: slope ${slope}, gradient ${length}`).toBeLessThan(0.02 * length + 1e-3);
    }
    planner.dispose();
  });

  it.each(NAMES)('%s gives the same from any cut into groups and micro-batches', async (name) => {
    const algorithm = wide(name);
    const spec = smallSpec('bag', criticOf(algorithm) ? { value: true } : {});
    const planner = createPlanner(spec, livelyParameters(spec));
    const batch = groups(spec, 4);
    const whole = computeGradients(new PlannerLearner(planner), batch, algorithm);
    const parts = [batch.slice(0, 1), batch.slice(1)].map((part) =>
      computeGradients(new PlannerLearner(planner), part, algorithm, { maxDecisions: 3 }),
    );
    const sliced = await computeGradientsInSlices(new PlannerLearner(planner), batch, algorithm, {
      clock: systemClock,
      maxDecisions: 2,
    });
    const largest = whole.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    whole.gradient.forEach((value, i) => {
      expect(Math.abs(parts[0]!.gradient[i]! + parts[1]!.gradient[i]! - value)).toBeLessThan(1e-5 * largest);
      expect(Math.abs(sliced.gradient[i]! - value)).toBeLessThan(1e-5 * largest);
    });
    expect(parts[0]!.weight + parts[1]!.weight).toBeCloseTo(whole.weight, 9);
    for (const [metric, value] of Object.entries(whole.statistics)) {
      const sum = parts[0]!.statistics[metric]! + parts[1]!.statistics[metric]!;
      expect(sum, metric).toBeCloseTo(value, 4);
    }
    planner.dispose();
  });
});

describe('evaluateInSlices', () => {
  it('gives log-probabilities and values of all decisions in order, whatever the slices', async () => {
    const spec = smallSpec('gru', { value: true });
    const planner = createPlanner(spec, livelyParameters(spec));
    const batch = groups(spec);
    const whole = await evaluateInSlices(new PlannerLearner(planner), batch, { clock: systemClock });
    const sliced = await evaluateInSlices(new PlannerLearner(planner), batch, { clock: systemClock, maxDecisions: 2 });
    const decisions = batch.flatMap(({ experience }) => experience.logProbabilities);
    expect(whole.logProbs).toHaveLength(decisions.length);
    expect(whole.values).toHaveLength(decisions.length);
    expect(new Set(whole.values).size).toBeGreaterThan(3);
    whole.logProbs.forEach((value, i) => expect(sliced.logProbs[i]).toBeCloseTo(value, 5));
    whole.values.forEach((value, i) => expect(sliced.values[i]).toBeCloseTo(value, 5));
    planner.dispose();
  });
});
