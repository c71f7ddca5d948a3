import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { numbered } from '../fused.ts';
import { availableBackends } from './backends.ts';
import { make } from './tensors.ts';

const WIDTH = 8;
const INNER = 12;
const LAYERS = 2;
/** Longer than a chunk of rows together, and one longer than the next chunk alone; an empty one between them. */
const STARTS = [0, 150, 250, 250, 257, 600];

const layer = [[WIDTH], [WIDTH], [WIDTH, 3 * WIDTH], [3 * WIDTH], [WIDTH, WIDTH], [WIDTH], [WIDTH], [WIDTH]];
const feedForward = [[WIDTH, INNER], [INNER], [INNER, WIDTH], [WIDTH]];

/** Two kernels that keep what a gradient takes: the first result must not depend on it, the second is empty without. */
const KERNELS: Record<string, { inputs: () => Record<string, tf.Tensor>; attrs: Record<string, unknown> }> = {
  TransformerLayers: {
    inputs: () => ({
      x: tensor([STARTS.at(-1)!, WIDTH], 100),
      starts: tf.tensor1d(STARTS, 'int32'),
      ...numbered(
        Array.from({ length: LAYERS }, () => [...layer, ...feedForward])
          .flat()
          .map(tensor),
      ),
    }),
    attrs: { heads: 2, inner: INNER },
  },
  GruScan: {
    inputs: () => ({
      x: tensor([7, 6 * WIDTH], 1),
      order: tf.tensor1d([0, 4, 1, 5, 2, 6, 3, 3, 6, 2, 5, 1, 4, 0], 'int32'),
      forwardWeight: tensor([WIDTH, 3 * WIDTH], 2),
      forwardBias: tensor([3 * WIDTH], 3),
      backwardWeight: tensor([WIDTH, 3 * WIDTH], 4),
      backwardBias: tensor([3 * WIDTH], 5),
    }),
    attrs: { steps: [2, 2, 2, 1] },
  },
};

function tensor(shape: number[], seed: number): tf.Tensor {
  return make({ shape, dtype: 'float32', seed, special: false });
}

describe.each((await availableBackends()).filter((backend) => tf.getKernel('TransformerLayers', backend)))('on %s', (backend) => {
  it.each(Object.entries(KERNELS))(
    '%s gives the same whether or not it keeps what a gradient takes',
    async (name, { inputs, attrs }) => {
      await tf.setBackend(backend);
      tf.tidy(() => {
        const given = inputs();
        const [kept, not] = [true, false].map(
          (keep) => tf.engine().runKernel(name, given, { ...attrs, keep } as never) as unknown as [tf.Tensor, tf.Tensor],
        );
        expect(not![0].dataSync()).toEqual(kept![0].dataSync());
        expect(kept![1].size).toBeGreaterThan(0);
        expect(not![1].size).toBe(0);
      });
    },
  );
});
