import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { DEFAULT_ALGORITHM } from '../../algo/config.ts';
import { systemClock } from '../../clock/system.ts';
import { initCompute } from '../../compute/backend.ts';
import { reduceShards } from '../../jobs/reduce.ts';
import { plannerExperience } from '../planner/experience.ts';
import { PlannerLearner } from '../planner/learner/learner.ts';
import { createPlanner } from '../planner/planner.ts';
import type { GradientSum, LearnerGroup } from '../policy.ts';
import { dice, livelyParameters, plannerParts, randomGroup, smallSpec } from '../planner/testing.ts';
import { computeGradients, computeGradientsInSlices } from './gradient.ts';

beforeAll(() => initCompute());

const ENCODERS = ['bag', 'gru', 'transformer'] as const;
const WIDE: AlgorithmConfig = { ...DEFAULT_ALGORITHM, clipLow: 0.9, clipHigh: 9, entropy: 0.3 };
const groupsOf = (spec = smallSpec(), count = 4): LearnerGroup[] =>
  Array.from({ length: count }, (_, i) => randomGroup(spec, 20 + i));

/** Largest difference in relation to the largest value. */
function distance(a: GradientSum, b: { gradient: ArrayLike<number> }): number {
  const largest = a.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  return a.gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - b.gradient[i]!)), 0) / largest;
}

/** The group with other experience. */
function changed(group: LearnerGroup, change: (parts: ReturnType<typeof plannerParts>) => void): LearnerGroup {
  const parts = plannerParts(group.experience);
  change(parts);
  return { ...group, experience: plannerExperience(parts) };
}

const clock = systemClock;

describe('computeGradients', () => {
  it.each(ENCODERS)('agrees with finite differences in every tensor, through the whole loss (%s)', (encoder) => {
    const spec = smallSpec(encoder);
    const values = livelyParameters(spec);
    const planner = createPlanner(spec, values);
    const groups = groupsOf(spec);
    const { gradient } = computeGradients(new PlannerLearner(planner), groups, WIDE);
    const lossAt = (parameters: Float32Array): number => {
      planner.load(parameters);
      return computeGradients(new PlannerLearner(planner), groups, WIDE).statistics['loss']!;
    };
    const roll = dice(4);
    for (const { name, offset, size } of planner.layout) {
      // Along the gradient the slope is its length: a missing or wrong part cannot hide in a sum of signs.
      const own = gradient.subarray(offset, offset + size);
      const length = Math.hypot(...own);
      const direction = length > 0 ? own.map((value) => value / length) : own.map(() => (roll(2) - 0.5) / Math.sqrt(size));
      const step = 0.01;
      const moved = (sign: number): Float32Array =>
        values.map((value, i) => (i >= offset && i < offset + size ? value + sign * step * direction[i - offset]! : value));
      const slope = (lossAt(moved(1)) - lossAt(moved(-1))) / (2 * step);
      expect(Math.abs(slope - length), `${name}: slope ${slope}, gradient ${length}`).toBeLessThan(0.01 * length + 2e-4);
    }
    planner.dispose();
  });

  it.each(ENCODERS)('adds up to the same from any split into groups and micro-batches (%s)', (encoder) => {
    const spec = smallSpec(encoder);
    const planner = createPlanner(spec, livelyParameters(spec));
    const groups = groupsOf(spec, 8);
    const whole = computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM);
    for (const parts of [2, 4, 8]) {
      const size = groups.length / parts;
      const sums = Array.from({ length: parts }, (_, p) =>
        computeGradients(new PlannerLearner(planner), groups.slice(p * size, (p + 1) * size), DEFAULT_ALGORITHM),
      );
      const total = reduceShards(
        sums.map((sum, shard) => ({ ...sum, shard })),
        parts,
      );
      expect(distance(whole, total)).toBeLessThan(1e-6);
      expect(total.weight).toBeCloseTo(whole.weight, 9);
      expect(sums.reduce((count, { decisions }) => count + decisions, 0)).toBe(whole.decisions);
      expect(total.statistics['loss']).toBeCloseTo(whole.statistics['loss']!, 5);
    }
    expect(
      distance(whole, computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM, { maxDecisions: 3 })),
    ).toBeLessThan(1e-6);
    expect(computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM).gradient).toEqual(whole.gradient);
    planner.dispose();
  });

  it('gives trajectories or decisions equal weight', () => {
    const planner = createPlanner(smallSpec());
    const groups = groupsOf();
    const trajectories = groups.flatMap((group) => plannerParts(group.experience).decisions);
    expect(computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM).weight).toBeCloseTo(trajectories.length, 9);
    const decisions = trajectories.reduce((sum, { observation }) => sum + observation.length, 0);
    expect(computeGradients(new PlannerLearner(planner), groups, { ...DEFAULT_ALGORITHM, aggregation: 'decision' }).weight).toBe(
      decisions,
    );
    planner.dispose();
  });

  it('leaves out invalid trajectories and groups without a signal', () => {
    const planner = createPlanner(smallSpec());
    const group = randomGroup(smallSpec(), 1);
    const silent = { ...group, advantages: group.advantages.map(() => 0) };
    expect(computeGradients(new PlannerLearner(planner), [silent], WIDE)).toMatchObject({
      weight: 0,
      decisions: 0,
      statistics: {},
    });
    const one = computeGradients(new PlannerLearner(planner), [{ ...group, valid: [true, false, false, false] }], WIDE);
    expect(one.weight).toBeCloseTo(1, 12);
    expect(one.decisions).toBe(group.experience.trajectoryLengths[0]);
    const both = computeGradients(new PlannerLearner(planner), [silent, group], WIDE);
    expect(both.gradient).toEqual(computeGradients(new PlannerLearner(planner), [group], WIDE).gradient);
    planner.dispose();
  });

  it('is plain policy gradient with ratio 1 where the policy is the one that acted', () => {
    const spec = smallSpec();
    const planner = createPlanner(spec, livelyParameters(spec));
    const group = randomGroup(spec, 3);
    const parts = plannerParts(group.experience);
    const { texts, observations, decisions, temperature } = parts;
    const tokens = texts.map((bytes) => new Int32Array(bytes.slice().buffer));
    const logProbs = planner.logProbabilities({ texts: tokens, observations }, temperature);
    for (const decision of decisions) {
      decision.logProbability = decision.observation.map((o, t) => logProbs[o]![decision.action[t]!]!);
    }
    const acted = { ...group, experience: plannerExperience(parts) };
    const { statistics, weight } = computeGradients(new PlannerLearner(planner), [acted], DEFAULT_ALGORITHM);
    expect(statistics['ratio']! / weight).toBeCloseTo(1, 5);
    expect(statistics['kl']).toBeCloseTo(0, 5);
    expect(statistics['clipFraction']).toBe(0);
    planner.dispose();
  });

  it('keeps no tensors', () => {
    const spec = smallSpec('transformer');
    const planner = createPlanner(spec);
    const held = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) computeGradients(new PlannerLearner(planner), groupsOf(spec, 2), DEFAULT_ALGORITHM);
    expect(tf.memory().numTensors).toBe(held);
    planner.dispose();
  });

  it.each<[string, (group: LearnerGroup) => LearnerGroup, RegExp]>([
    ['advantages for other trajectories', (group) => ({ ...group, advantages: [1] }), /groups\[0\].*advantages/],
    ['an advantage that is not a number', (group) => ({ ...group, advantages: [NaN, 1, 1, 1] }), /advantage of trajectory 0/],
    ['an action that was not open', (group) => changed(group, ({ decisions }) => (decisions[0]!.action[0] = 99)), /action 99/],
    [
      'an observation that is missing',
      (group) => changed(group, ({ decisions }) => (decisions[0]!.observation[0] = 99)),
      /observation 99/,
    ],
  ])('refuses %s', (_, damage, message) => {
    const planner = createPlanner(smallSpec());
    expect(() => computeGradients(new PlannerLearner(planner), [damage(randomGroup(smallSpec(), 6))], WIDE)).toThrow(message);
    planner.dispose();
  });
});

describe('computeGradientsInSlices', () => {
  it('gives the same sums and lets the event loop turn in between', async () => {
    const planner = createPlanner(smallSpec(), livelyParameters(smallSpec()));
    const groups = groupsOf(smallSpec(), 6);
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const sliced = await computeGradientsInSlices(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM, {
      clock,
      maxDecisions: 4,
    });
    counting = false;
    expect(turns).toBeGreaterThan(6);
    expect(distance(computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM), sliced)).toBeLessThan(1e-6);
    const adapted = await computeGradientsInSlices(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM, {
      clock,
      maxDecisions: 2,
      targetMs: 1000,
    });
    expect(distance(sliced, adapted)).toBeLessThan(1e-6);
    expect(
      await computeGradientsInSlices(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM, { clock, maxDecisions: 4 }),
    ).toMatchObject({
      gradient: sliced.gradient,
    });
    expect(sliced.longestBlockMs).toBeGreaterThan(0);
    planner.dispose();
  });

  it('stops when asked to', async () => {
    const planner = createPlanner(smallSpec());
    const signal = AbortSignal.abort();
    await expect(
      computeGradientsInSlices(new PlannerLearner(planner), groupsOf(), WIDE, { clock, signal }),
    ).rejects.toMatchObject({
      code: 'cancelled',
    });
    planner.dispose();
  });
});
