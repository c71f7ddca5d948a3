import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../../compute/backend.ts';
import { livelyParameters, randomBatch, smallSpec } from './testing.ts';
import { encodeObservation } from './codec.ts';
import { initialParameters, plannerParameterCount } from './layout.ts';
import { createPlanner } from './planner.ts';
import { referenceLogProbabilities } from './reference.fixture.ts';

beforeAll(async () => {
  // Before there is a backend, the error says what to do.
  expect(() => createPlanner(smallSpec())).toThrow(/initCompute/);
  await initCompute();
});

const ENCODERS = ['bag', 'gru', 'transformer'] as const;

describe('createPlanner', () => {
  it.each([
    ['all features', smallSpec()],
    ['no flags at all', smallSpec('bag', { features: { state: 0, item: 0, action: 0 } })],
    [
      'tools of one arity',
      smallSpec('bag', {
        tools: [
          { name: 'only', arity: 2 },
          { name: 'end', arity: 0 },
        ],
      }),
    ],
  ])('computes what the formulas say with %s', (_, spec) => {
    const values = livelyParameters(spec);
    const planner = createPlanner(spec, values);
    const { texts, observations, situations } = randomBatch(spec, 40, 5);
    const results = planner.logProbabilities({ texts, observations }, 0.7);
    situations.forEach((observation, index) => {
      const expected = referenceLogProbabilities(spec, values, { texts, observation }, 0.7);
      expect([...results[index]!]).toEqual(expected.map((value) => expect.closeTo(value, 4) as number));
    });
    planner.dispose();
  });

  it.each(ENCODERS)('gives the same for an observation alone and among others (%s)', (encoder) => {
    const spec = smallSpec(encoder);
    const planner = createPlanner(spec, livelyParameters(spec));
    const { texts, observations } = randomBatch(spec, 12, 8);
    const together = planner.logProbabilities({ texts, observations }, 1);
    const [first, second] = planner.logProbabilitiesOf(
      [
        { texts, observations },
        { texts: texts.slice(0, 0), observations: [] },
      ],
      1,
    );
    expect(first).toEqual(together);
    expect(second).toEqual([]);
    planner.load(planner.parameters().values);
    observations.forEach((bytes, index) => {
      const [alone] = planner.logProbabilities({ texts, observations: [bytes] }, 1);
      expect([...alone!]).toEqual([...together[index]!].map((value) => expect.closeTo(value, 5) as number));
      expect(alone!.reduce((sum, logProb) => sum + Math.exp(logProb), 0)).toBeCloseTo(1, 5);
    });
    planner.dispose();
  });

  it('starts near uniform, the same from the same seed, and takes weights back', () => {
    const spec = smallSpec('gru');
    const planner = createPlanner(spec);
    const batch = randomBatch(spec, 20, 3);
    const before = planner.logProbabilities(batch, 1);
    before.forEach((logProbs) => logProbs.forEach((logProb) => expect(Math.exp(logProb) * logProbs.length).toBeCloseTo(1, 0)));
    expect(initialParameters(spec).values).toEqual(planner.parameters().values);
    expect(initialParameters({ ...spec, seed: 12 }).values).not.toEqual(planner.parameters().values);
    planner.load(livelyParameters(spec));
    expect(planner.logProbabilities(batch, 1)).not.toEqual(before);
    planner.load(initialParameters(spec).values);
    expect(planner.logProbabilities(batch, 1)).toEqual(before);
    planner.dispose();
  });

  it.each(ENCODERS)('keeps no tensors but its parameters (%s)', (encoder) => {
    const spec = smallSpec(encoder);
    const start = tf.memory().numTensors;
    const planner = createPlanner(spec);
    const held = tf.memory().numTensors;
    for (let round = 0; round < 5; round++) {
      planner.logProbabilities(randomBatch(spec, 10, round), 1);
      planner.load(planner.parameters().values);
      expect(tf.memory().numTensors).toBe(held);
    }
    planner.dispose();
    expect(tf.memory().numTensors).toBe(start);
  });

  it.each(ENCODERS)('works without any text, item or position (%s)', (encoder) => {
    const spec = smallSpec(encoder);
    const planner = createPlanner(spec);
    const bare = encodeObservation({ text: -1, flags: [0, 1], items: [], actions: [{ tool: 0, args: [], flags: [0, 0] }] }, spec);
    expect([...planner.logProbabilities({ texts: [], observations: [bare] }, 1)[0]!]).toEqual([0]);
    expect(planner.logProbabilities({ texts: [], observations: [] }, 1)).toEqual([]);
    planner.dispose();
  });

  it('refuses what does not belong to it', () => {
    const spec = smallSpec();
    const planner = createPlanner(spec);
    const { texts, observations } = randomBatch(spec, 3, 1);
    expect(() => planner.load(new Float32Array(3))).toThrow(`${plannerParameterCount(spec)} parameters`);
    expect(() => planner.logProbabilities({ texts, observations }, 0)).toThrow(/temperature/);
    const missing = encodeObservation(
      { text: 7, flags: [0, 1], items: [], actions: [{ tool: 0, args: [], flags: [0, 0] }] },
      spec,
    );
    expect(() => planner.logProbabilities({ texts, observations: [missing] }, 1)).toThrow(/text 7/);
    const alien = encodeObservation({ text: 0, flags: [0, 1], items: [], actions: [{ tool: 0, args: [], flags: [0, 0] }] }, spec);
    expect(() => planner.logProbabilities({ texts: [Int32Array.of(1, 50)], observations: [alien] }, 1)).toThrow(/token id 50/);
    planner.dispose();
    expect(() => createPlanner({ ...spec, hidden: 0 })).toThrowError(expect.objectContaining({ field: 'hidden' }));
    expect(() => createPlanner(smallSpec('gru', { text: { ...spec.text, encoder: 'gru', width: 7 } }))).toThrow(/even/);
  });
});
