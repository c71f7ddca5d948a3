import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../algo/config.ts';
import { computeGradients } from '../policy/learner/gradient.ts';
import { PlannerLearner } from '../policy/planner/learner/learner.ts';
import { createPlanner } from '../policy/planner/planner.ts';
import { livelyParameters, randomGroup, smallSpec } from '../policy/planner/testing.ts';
import { initCompute } from './backend.ts';
import { fastTanh } from './kernels/tanh.ts';

const numbers = (shape: number[], seed = 1): tf.Tensor => {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(seed + 1.7 * i) * 2);
  return tf.tensor(values, shape);
};

/** What this machine can run: the compiled kernels may be missing. */
const available: string[] = [];
for (const preferred of ['native', 'wasm']) {
  await initCompute({ preferred }).then(
    () => available.push(preferred),
    (error: unknown) => process.stderr.write(`not tested here: ${String(error)}\n`),
  );
}

/** Runs on the backend under test and on tfjs's plain JavaScript one. */
async function onBoth(backend: string, compute: () => tf.Tensor): Promise<[Float32Array, Float32Array]> {
  const results: Float32Array[] = [];
  for (const preferred of [backend, 'cpu']) {
    await initCompute({ preferred });
    results.push(tf.tidy(() => new Float32Array(compute().dataSync())));
  }
  return results as [Float32Array, Float32Array];
}

function expectSame([actual, expected]: [Float32Array, Float32Array], digits = 4): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, digits));
}

const index = (...values: number[]): tf.Tensor1D => tf.tensor1d(values, 'int32');

const CASES: [string, () => tf.Tensor][] = [
  ['a b', () => tf.matMul(numbers([5, 7]), numbers([7, 3]))],
  ['a^T b', () => tf.matMul(numbers([7, 5]), numbers([7, 3]), true, false)],
  ['a b^T', () => tf.matMul(numbers([5, 7]), numbers([3, 7]), false, true)],
  ['a^T b^T', () => tf.matMul(numbers([7, 5]), numbers([3, 7]), true, true)],
  ['batches of a b^T', () => tf.matMul(numbers([2, 3, 5, 7]), numbers([2, 3, 4, 7]), false, true)],
  ['batches of a^T b', () => tf.matMul(numbers([4, 7, 5]), numbers([4, 7, 2]), true, false)],
  [
    'a fused product with bias and activation',
    () =>
      tf.fused.matMul({
        a: numbers([7, 5]) as tf.Tensor2D,
        b: numbers([7, 3]) as tf.Tensor2D,
        transposeA: true,
        bias: numbers([3]),
        activation: 'relu',
      }),
  ],
  ['gathered rows', () => tf.gather(numbers([6, 3, 2]), index(5, 0, 0, 3))],
  ['gathered scalars', () => tf.gather(numbers([6]), index(5, 1, 1))],
  ['gathers along another axis', () => tf.gather(numbers([3, 6]), index(5, 0), 1)],
  ['segment sums of rows, dropping negative ids', () => tf.unsortedSegmentSum(numbers([5, 3]), index(2, 0, 2, -1, 3), 5)],
  ['segment sums of scalars', () => tf.unsortedSegmentSum(numbers([4]), index(1, 1, 0, 1), 3)],
  ['tanh', () => tf.tanh(tf.tensor1d([-100, -9, -3, -0.5, -1e-4, 0, 1e-4, 0.3, 2, 8, 100]))],
];

describe.each(available)('%s kernels', (backend) => {
  afterAll(() => initCompute({ preferred: 'wasm' }));

  it.each(CASES)('compute %s like the cpu backend', async (_, compute) => {
    expectSame(await onBoth(backend, compute));
  });

  it('survive the heap growing under them', async () => {
    await initCompute({ preferred: backend });
    const before = tf.tensor1d([1, 2, 3]);
    // 64 MB at a time: the heap starts with 16 MB, so these outputs move it.
    const rows = tf.gather(tf.ones([4, 1 << 20]), index(...new Array<number>(16).fill(2)));
    const sums = tf.unsortedSegmentSum(rows, index(...Array.from({ length: 16 }, (_, i) => i % 3)), 16);
    expect(tf.slice(sums, [0, 0], [3, 1]).dataSync()).toEqual(Float32Array.of(6, 5, 5));
    expect(before.dataSync()).toEqual(Float32Array.of(1, 2, 3));
    tf.dispose([before, rows, sums]);
  });

  it('refuse to gather beyond the table', async () => {
    await initCompute({ preferred: backend });
    expect(() => tf.gather(numbers([2, 2]), index(2))).toThrow(/not in \[0, 1\]/);
  });

  it.each(['bag', 'gru', 'transformer'] as const)('give the same planner gradients as the cpu backend (%s)', async (encoder) => {
    const spec = smallSpec(encoder);
    const groups = [1, 2, 3].map((seed) => randomGroup(spec, seed));
    const results: Float32Array[] = [];
    for (const preferred of [backend, 'cpu']) {
      await initCompute({ preferred });
      const planner = createPlanner(spec, livelyParameters(spec));
      const held = tf.memory().numTensors;
      results.push(computeGradients(new PlannerLearner(planner), groups, DEFAULT_ALGORITHM).gradient);
      expect(tf.memory().numTensors).toBe(held);
      planner.dispose();
    }
    expectSame(results as [Float32Array, Float32Array], 4);
  });
});

describe.each(available)('gradients on %s', (backend) => {
  const FUNCTIONS: [string, (x: tf.Tensor) => tf.Tensor][] = [
    ['broadcast sums', (x) => tf.add(x, tf.sum(x, 0, true))],
    ['broadcast products', (x) => tf.mul(x, tf.sum(x, 1, true))],
    ['quotients', (x) => tf.div(x, tf.add(tf.square(x), 2))],
    ['differences and negation', (x) => tf.sub(tf.neg(x), tf.slice(x, [0, 0], [1, 4]))],
    ['exponentials and logarithms', (x) => tf.log(tf.add(tf.exp(x), 1))],
    ['sigmoid, tanh and relu', (x) => tf.add(tf.mul(tf.sigmoid(x), tf.tanh(x)), tf.relu(x))],
    ['softmax', (x) => tf.square(tf.softmax(x))],
    ['transposed products', (x) => tf.add(tf.matMul(x, x, true, false), tf.sum(tf.matMul(x, x, false, true)))],
    ['concatenation, transposition and reshaping', (x) => tf.square(tf.concat([tf.reshape(tf.transpose(x), [3, 4]), x], 1))],
    ['gathers', (x) => tf.square(tf.gather(x, index(2, 0, 2)))],
  ];

  beforeAll(() => initCompute({ preferred: backend }));

  it.each(FUNCTIONS)('of %s agree with finite differences', (_, f) => {
    const weighted = (x: tf.Tensor): tf.Tensor => {
      const y = f(x);
      return tf.sum(tf.mul(y, numbers(y.shape, 5)));
    };
    tf.tidy(() => {
      const x = numbers([3, 4], 0.4);
      const gradient = tf.grad(weighted)(x).dataSync();
      const values = x.dataSync();
      const at = (i: number, step: number): number =>
        weighted(
          tf.tensor(
            values.map((value, j) => (i === j ? value + step : value)),
            [3, 4],
          ),
        ).dataSync()[0]!;
      gradient.forEach((slope, i) => {
        const difference = (at(i, 1e-2) - at(i, -1e-2)) / 2e-2;
        expect(Math.abs(slope - difference)).toBeLessThan(0.01 + 0.01 * Math.abs(slope));
      });
    });
  });
});

describe('initCompute', () => {
  it('says what it chose, how fast it is and why nothing better', async () => {
    const compute = await initCompute({ preferred: 'wasm' });
    expect(compute.backend).toBe('wasm');
    expect(compute.gflops).toBeGreaterThan(0.1);
    expect(compute.describe()).toMatch(/^compute: wasm on CPU \(WebAssembly.*GFLOP\/s$/);
    expect(await initCompute()).toBe(compute);
  });

  it('refuses an unknown backend by name', async () => {
    await expect(initCompute({ preferred: 'cuda' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'compute.backend',
    });
    expect((await initCompute()).backend).toBeDefined();
  });

  it('leaves the process its own handling of uncaught exceptions', async () => {
    await initCompute({ preferred: 'wasm' });
    const handlers = [...process.listeners('uncaughtException'), ...process.listeners('unhandledRejection')].map(String);
    expect(handlers.filter((source) => source.includes('ExitStatus'))).toEqual([]);
  });
});

describe('fastTanh', () => {
  it('is tanh to 1e-10', () => {
    for (let x = -12; x <= 12; x += 0.01) expect(Math.abs(fastTanh(x) - Math.tanh(x))).toBeLessThan(1e-8);
    expect(fastTanh(1e-9)).toBeCloseTo(1e-9, 20);
  });
});
