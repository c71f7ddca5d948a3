import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { availableBackends } from './backends.ts';

const LARGE = 1 << 22;

describe.each(await availableBackends())('memory of %s', (backend) => {
  beforeEach(async () => {
    await tf.setBackend(backend);
  });

  it('may move under tensors that exist', () => {
    tf.tidy(() => {
      const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const b = tf.clone(a);
      const product = tf.matMul(a, b);
      // 16 MB each: more than the heap starts with, so that making room moves it.
      const filled = Array.from({ length: 6 }, (_, i) => tf.fill([LARGE / 1024, 1024], i));
      expect([...tf.matMul(product, a, false, true).dataSync()]).toEqual([7 + 20, 21 + 40, 15 + 44, 45 + 88]);
      const rows = tf.gather(tf.concat(filled), tf.tensor1d([0, 4096 * 5 + 1, 4096 * 2], 'int32'));
      expect([...tf.sum(rows, 1).dataSync()]).toEqual([0, 5 * 1024, 2 * 1024]);
      expect([...tf.transpose(a).dataSync()]).toEqual([1, 3, 2, 4]);
      expect([...b.dataSync()]).toEqual([1, 2, 3, 4]);
    });
  });

  it('is taken in the middle of a kernel for tensors of another backend', async () => {
    await tf.setBackend('cpu');
    const values = Float32Array.from({ length: LARGE }, (_, i) => i % 7);
    const x = tf.tensor2d(values, [LARGE / 4, 4]);
    const y = tf.tensor2d(values, [LARGE / 4, 4]);
    const index = tf.tensor1d([0, 1, LARGE / 4 - 1], 'int32');
    await tf.setBackend(backend);
    const expected = (row: number): number[] => [0, 1, 2, 3].map((i) => (4 * row + i) % 7);
    expect([...tf.gather(x, index).dataSync()]).toEqual([0, 1, LARGE / 4 - 1].flatMap(expected));
    expect(tf.sum(tf.sub(tf.add(x, y), tf.mul(x, tf.scalar(2)))).dataSync()[0]).toBe(0);
    expect([...tf.slice(tf.unsortedSegmentSum(x, tf.zeros([LARGE / 4], 'int32'), 2), [1, 0], [1, 4]).dataSync()]).toEqual([
      0, 0, 0, 0,
    ]);
    tf.disposeVariables();
    tf.dispose([x, y, index]);
  });

  it('is given back when a kernel refuses its inputs', () => {
    const held = tf.memory().numTensors;
    const refusals: (() => tf.Tensor)[] = [
      () => tf.gather(tf.ones([2, 3]), tf.tensor1d([2], 'int32')),
      () => tf.gather(tf.ones([2, 3]), tf.tensor1d([-1], 'int32'), 1),
      () => tf.slice(tf.ones([2, 3]), [1, 1], [1, 3]),
      () => tf.unsortedSegmentSum(tf.ones([2, 3]), tf.tensor1d([0, 0, 0], 'int32'), 2),
      () => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3])),
      () => tf.add(tf.ones([2, 3]), tf.ones([2, 2])),
      () => tf.matMul(tf.ones([2, 2, 3]), tf.ones([3, 3, 2])),
      () => tf.concat([tf.ones([2, 3]), tf.ones([3, 3])], 1),
    ];
    for (const refused of refusals) expect(() => tf.tidy(refused)).toThrow();
    expect(tf.memory().numTensors).toBe(held);
    expect(tf.engine().backend.numDataIds()).toBe(tf.memory().numDataBuffers);
  });

  it('does not grow while the same work is done again and again', () => {
    const work = (): void =>
      tf.tidy(() => {
        const loss = (x: tf.Tensor): tf.Scalar => tf.mean(tf.softmax(tf.matMul(tf.gather(x, [2, 0, 2]), tf.transpose(x))));
        tf.grad(loss)(tf.ones([3, 4]));
      });
    work();
    const { numTensors } = tf.memory();
    const ids = tf.engine().backend.numDataIds();
    for (let i = 0; i < 200; i++) work();
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(tf.engine().backend.numDataIds()).toBe(ids);
  });
});
