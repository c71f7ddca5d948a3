import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../../algo/config.ts';
import { computeGradients } from '../../policy/learner/gradient.ts';
import { PlannerLearner } from '../../policy/planner/learner/learner.ts';
import { createPlanner } from '../../policy/planner/planner.ts';
import { livelyParameters, randomGroup, smallSpec } from '../../policy/planner/testing.ts';
import { initCompute } from '../backend.ts';

const STEPS = 400;
const MIB = 2 ** 20;

/** Without what only waits to be collected: arrays that the library has shared with JavaScript. */
function residentBytes(): number {
  if (!globalThis.gc) throw new Error('run with --expose-gc');
  globalThis.gc();
  return process.memoryUsage.rss();
}

describe('the backend under test', () => {
  it('is a libtensorflow of 2.18 or newer, on the device that was asked for', async () => {
    const { backend, device } = await initCompute({ preferred: 'tensorflow' });
    const [, kind, major, minor] = /^(CPU|GPU).*libtensorflow (\d+)\.(\d+)/.exec(device) ?? [];
    expect(kind).toBe(backend === 'tensorflow-gpu' ? 'GPU' : 'CPU');
    expect(Number(major) * 100 + Number(minor)).toBeGreaterThanOrEqual(218);
  });

  it('is found again after another one was used', async () => {
    await initCompute({ preferred: 'cpu' });
    expect(tf.getBackend()).toBe('cpu');
    await initCompute({ preferred: 'tensorflow' });
    expect(tf.getBackend()).toBe('tensorflow');
    expect(tf.tidy(() => tf.matMul([[1, 2]], [[3], [4]]).arraySync())).toEqual([[11]]);
  });

  it(`keeps nothing over ${STEPS} training steps`, async () => {
    await initCompute({ preferred: 'tensorflow' });
    const spec = smallSpec('transformer');
    const planner = createPlanner(spec, livelyParameters(spec));
    const groups = [1, 2].map((seed) => randomGroup(spec, seed));
    const step = (): void => void computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM);
    for (let i = 0; i < STEPS / 2; i++) step();
    const [tensors, bytes] = [tf.memory().numTensors, residentBytes()];
    for (let i = 0; i < STEPS; i++) step();
    expect(tf.memory().numTensors).toBe(tensors);
    expect(residentBytes() - bytes).toBeLessThan(48 * MIB);
    planner.dispose();
  });
});
