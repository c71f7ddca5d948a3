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

describe.each((await availableBackends()).filter((backend) => tf.getKernel('TransformerLayers', backend)))('on %s', (backend) => {
  it('layers that keep nothing give the same as layers that keep what a gradient takes', async () => {
    await tf.setBackend(backend);
    tf.tidy(() => {
      const tensor = (shape: number[], seed: number): tf.Tensor => make({ shape, dtype: 'float32', seed, special: false });
      const parameters = Array.from({ length: LAYERS }, () => [...layer, ...feedForward]).flat();
      const inputs = {
        x: tensor([STARTS.at(-1)!, WIDTH], 100),
        starts: tf.tensor1d(STARTS, 'int32'),
        ...numbered(parameters.map((shape, seed) => tensor(shape, seed))),
      };
      const [kept, not] = [true, false].map((keep) => {
        const attrs = { heads: 2, inner: INNER, keep } as unknown as tf.NamedAttrMap;
        return tf.engine().runKernel('TransformerLayers', inputs, attrs) as unknown as [tf.Tensor, tf.Tensor];
      });
      expect(not![0].dataSync()).toEqual(kept![0].dataSync());
      expect(kept![1].size).toBeGreaterThan(0);
      expect(not![1].size).toBe(0);
    });
  });
});
