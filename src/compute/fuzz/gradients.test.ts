import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dense, gelu, layerNorm, logSoftmax, rmsNorm, type DenseActivation } from '../fused.ts';
import { availableBackends } from './backends.ts';
import { hash, make, partOf, type TensorSpec } from './tensors.ts';

/** A function of several tensors, each of which it is differentiated by. */
interface Differentiable {
  name: string;
  shapes: fc.Arbitrary<number[][]>;
  f: (...x: tf.Tensor[]) => tf.Tensor;
  /** Values are made positive: the function has an edge or a pole at 0. */
  positive?: boolean;
}

const few = fc.integer({ min: 1, max: 4 });
const shape = fc.array(few, { minLength: 1, maxLength: 4 });
const pair = shape.chain((whole) => fc.tuple(partOf(whole), partOf(whole)).map(([a, b]): number[][] => [a, b]));
const index = (length: number, below: number, seed: number): tf.Tensor1D =>
  tf.tensor1d(
    Array.from({ length }, (_, i) => hash(seed, i) % below),
    'int32',
  );

const one = (name: string, f: (x: tf.Tensor) => tf.Tensor, positive = false): Differentiable => ({
  name,
  shapes: shape.map((x) => [x]),
  f,
  positive,
});

const layer = (activation: DenseActivation): Differentiable => ({
  name: `dense with ${activation}`,
  shapes: fc.tuple(few, few, few).map(([m, k, n]) => [[m, k], [k, n], [n]]),
  f: (x, w, bias) => dense(x as tf.Tensor2D, w as tf.Tensor2D, bias as tf.Tensor1D, activation),
  positive: activation === 'relu',
});

const FUNCTIONS: Differentiable[] = [
  { name: 'add', shapes: pair, f: (a, b) => tf.add(a!, b!) },
  { name: 'sub', shapes: pair, f: (a, b) => tf.sub(a!, b!) },
  { name: 'mul', shapes: pair, f: (a, b) => tf.mul(a!, b!) },
  { name: 'div', shapes: pair, f: (a, b) => tf.div(a!, b!), positive: true },
  one('clone', tf.clone),
  one('neg', tf.neg),
  one('square', tf.square),
  one('exp', tf.exp),
  one('log', tf.log, true),
  one('tanh', tf.tanh),
  one('sigmoid', tf.sigmoid),
  one('relu', tf.relu, true),
  one('gelu', gelu),
  one('softmax', tf.softmax),
  one('logSoftmax', logSoftmax),
  one('sum over the first', (x) => tf.sum(x, 0)),
  one('sum over the last', (x) => tf.sum(x, -1, true)),
  one('mean over all', (x) => tf.mean(x)),
  one('mean over the last', (x) => tf.mean(x, -1)),
  one('transpose', (x) => tf.transpose(x)),
  one('slice', (x) => tf.slice(x, new Array<number>(x.rank).fill(0), new Array<number>(x.rank).fill(1))),
  one('concat', (x) => tf.concat([x, x, tf.square(x)], -1)),
  one('gather by the first', (x) => tf.gather(x, index(3, x.shape[0]!, 1))),
  one('gather by the last', (x) => tf.gather(x, index(3, x.shape.at(-1)!, 2), -1)),
  {
    name: 'gather by batch',
    shapes: fc.tuple(few, few, few).map((x) => [x]),
    f: (x) => tf.gather(x!, tf.reshape(index(2 * x!.shape[0]!, x!.shape[1]!, 3), [x!.shape[0]!, 2]), 1, 1),
  },
  ...[0, 1, 2, 3].map((bits): Differentiable => {
    const [transposeA, transposeB] = [(bits & 1) > 0, (bits & 2) > 0];
    return {
      name: `matMul${transposeA ? ', a transposed' : ''}${transposeB ? ', b transposed' : ''}`,
      shapes: fc.tuple(few, few, few, fc.array(few, { maxLength: 2 })).map(([m, k, n, batch]) => [
        [...batch, ...(transposeA ? [k, m] : [m, k])],
        [...batch, ...(transposeB ? [n, k] : [k, n])],
      ]),
      f: (a, b) => tf.matMul(a!, b!, transposeA, transposeB),
    };
  }),
  {
    name: 'matMul of batches with one matrix',
    shapes: fc.tuple(few, few, few, few).map(([batch, m, k, n]) => [
      [batch, m, k],
      [k, n],
    ]),
    f: (a, b) => tf.matMul(a!, b!),
  },
  ...(['linear', 'relu', 'tanh', 'sigmoid'] as const).map(layer),
  {
    name: 'layer norm',
    shapes: fc.tuple(few, fc.integer({ min: 3, max: 6 })).map(([rows, n]) => [[rows, n], [n], [n]]),
    f: (x, gain, bias) => layerNorm(x!, gain as tf.Tensor1D, bias as tf.Tensor1D, 0.1),
  },
  {
    name: 'RMS norm',
    shapes: fc.tuple(few, fc.integer({ min: 3, max: 6 })).map(([rows, n]) => [[rows, n], [n]]),
    f: (x, gain) => rmsNorm(x!, gain as tf.Tensor1D, 0.1),
  },
];

/** Some fixed direction, so that a gradient of any shape comes down to one slope. */
const direction = (tensor: tf.Tensor, seed: number): tf.Tensor =>
  make({ shape: tensor.shape, dtype: 'float32', seed, special: false });

describe.each(await availableBackends())('gradients on %s', (backend) => {
  it.each(FUNCTIONS)('of $name agree with finite differences', async ({ shapes, f, positive }) => {
    await tf.setBackend(backend);
    const held = tf.memory().numTensors;
    const value = (...x: tf.Tensor[]): tf.Scalar => {
      const y = f(...x);
      return tf.sum(tf.mul(y, direction(y, 99)));
    };
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 1000 }), (given, seed) => {
        tf.tidy(() => {
          const inputs = given.map((own, i) => {
            const x = make({ shape: own, dtype: 'float32', seed: seed + i, special: false } satisfies TensorSpec);
            return tf.mul(positive ? tf.add(tf.abs(x), 0.5) : x, 0.5);
          });
          const gradients = tf.grads(value)(inputs);
          gradients.forEach((gradient, i) => {
            expect(gradient.shape).toEqual(inputs[i]!.shape);
            const step = direction(gradient, 7 + i);
            const slope = tf.sum(tf.mul(gradient, step)).dataSync()[0]!;
            const at = (h: number): number =>
              value(...inputs.map((x, j) => (i === j ? tf.add(x, tf.mul(step, h)) : x))).dataSync()[0]!;
            // Four points, error of the fourth order: float32 leaves no room for a smaller step.
            const h = 1 / 64;
            const difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
            const scale = tf.sum(tf.abs(tf.mul(gradient, step))).dataSync()[0]!;
            expect(Math.abs(slope - difference)).toBeLessThan(0.01 + 0.01 * scale + 0.01 * Math.abs(difference));
          });
        });
      }),
      { seed: 1, numRuns: 12 },
    );
    expect(tf.memory().numTensors).toBe(held);
  });

  it('reach tensors that are used again later', async () => {
    await tf.setBackend(backend);
    tf.tidy(() => {
      // a gets a second contribution while what flowed into the first sum is still on its way to c.
      const f = (a: tf.Tensor, c: tf.Tensor): tf.Scalar => {
        const b = tf.clone(c);
        const again = tf.square(a);
        return tf.sum(tf.add(tf.sub(a, b), again));
      };
      const [da, dc] = tf.grads(f)([tf.tensor1d([1, 2]), tf.tensor1d([3, 4])]);
      expect([...da!.dataSync()]).toEqual([3, 5]);
      expect([...dc!.dataSync()]).toEqual([-1, -1]);
    });
  });

  it('leave the gradient that they are given as it is', async () => {
    await tf.setBackend(backend);
    const [x, dy] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
    const dx = tf.grad((x: tf.Tensor) => tf.add(tf.clone(x), x))(x, dy);
    expect([...dx.dataSync()]).toEqual([6, 8]);
    dx.dispose();
    expect([...dy.dataSync()]).toEqual([3, 4]);
    tf.dispose([x, dy]);
  });
});
