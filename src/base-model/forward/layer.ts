import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../compute/fused.ts';
import type { ModelConfig } from '../config.ts';
import type { Projection } from '../adapter/shape.ts';
import { addAdapters, type AdapterRun } from './adapter.ts';
import { causalAttention } from './attention.ts';
import type { KeyValueCache } from './cache.ts';
import { rotate, type RotaryTables } from './rotary.ts';
import type { LayerWeights, Linear } from './weights.ts';

/** Sequences whose new tokens are computed together. */
export interface LayerInputs {
  config: ModelConfig;
  /** Position of the layer among the others. */
  index: number;
  rotary: RotaryTables;
  /**
   * For each sequence its new tokens, rows that follow one another, and its cache, or the place of the sequence that it goes on from; without either the
   * tokens are all there is.
   */
  sequences: readonly { tokens: number; cache?: KeyValueCache | undefined; after?: number | undefined }[];
  /**
   * [rows, rows]: what each row must not see, for one attention over the rows of all sequences, none of which has a cache. Absent: sequence by
   * sequence.
   */
  mask?: tf.Tensor2D | undefined;
  /** All rows, by the adapter that they go through. */
  runs: readonly AdapterRun[];
}

/**
 * One transformer layer over the rows of all sequences, x [rows, width]: products run over all rows, attention over each sequence. A compiled kernel
 * can take its place; this is what it has to agree with.
 */
export function transformerLayer(x: tf.Tensor2D, weights: LayerWeights, inputs: LayerInputs): tf.Tensor2D {
  const { normEpsilon } = inputs.config;
  const attended = tf.add(x, attention(rmsNorm(x, weights.attentionNorm, normEpsilon), weights, inputs));
  const normed = rmsNorm(attended as tf.Tensor2D, weights.feedForwardNorm, normEpsilon);
  return tf.add(attended, feedForward(normed, weights, inputs));
}

function attention(x: tf.Tensor2D, weights: LayerWeights, inputs: LayerInputs): tf.Tensor2D {
  const { config, rotary } = inputs;
  const { heads, kvHeads, headSize, normEpsilon } = config;
  const rows = x.shape[0];
  const headsOf = (projection: 'q' | 'k' | 'v', count: number, gain?: tf.Tensor1D): tf.Tensor3D => {
    const y = project(x, weights[projection], projection, inputs);
    const split = tf.reshape(y, [rows * count, headSize]);
    return tf.reshape(gain ? rmsNorm(split, gain, normEpsilon) : split, [rows, count, headSize]);
  };
  const q = rotate(headsOf('q', heads, weights.qNorm), rotary);
  const k = rotate(headsOf('k', kvHeads, weights.kNorm), rotary);
  const v = headsOf('v', kvHeads);
  const mixed = inputs.mask ? wholeAttention({ q, k, v }, inputs.mask) : sequenceAttention({ q, k, v }, inputs);
  return project(mixed, weights.o, 'o', inputs);
}

/** Queries, keys and values of all rows, [rows, heads, headSize]. */
type Heads = Record<'q' | 'k' | 'v', tf.Tensor3D>;

function wholeAttention({ q, k, v }: Heads, mask: tf.Tensor2D): tf.Tensor2D {
  return causalAttention({ q, keys: tf.transpose(k, [1, 0, 2]), values: tf.transpose(v, [1, 0, 2]), mask });
}

function sequenceAttention({ q, k, v }: Heads, inputs: LayerInputs): tf.Tensor2D {
  const { index, sequences } = inputs;
  const [queries, keys, values] = [q, k, v].map((all) => bySequence(all, inputs)) as [
    tf.Tensor3D[],
    tf.Tensor3D[],
    tf.Tensor3D[],
  ];
  const seen: { keys: tf.Tensor3D; values: tf.Tensor3D }[] = [];
  const outputs = sequences.map(({ cache, after }, s) => {
    const added = { keys: tf.transpose(keys[s]!, [1, 0, 2]), values: tf.transpose(values[s]!, [1, 0, 2]) };
    const before = after === undefined ? undefined : seen[after]!;
    seen.push(
      before
        ? { keys: tf.concat([before.keys, added.keys], 1), values: tf.concat([before.values, added.values], 1) }
        : cache
          ? cache.append(index, added)
          : added,
    );
    return causalAttention({ q: queries[s]!, ...seen[s]! });
  });
  return outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0);
}

/** Rows [rows, heads, headSize] sequence by sequence. */
function bySequence(all: tf.Tensor3D, { sequences }: LayerInputs): tf.Tensor3D[] {
  if (sequences.length === 1) return [all];
  return tf.split(
    all,
    sequences.map(({ tokens }) => tokens),
    0,
  );
}

/** SwiGLU (Shazeer, arXiv 2002.05202): down(silu(gate x) · up x). */
function feedForward(x: tf.Tensor2D, { gate, up, down }: LayerWeights, inputs: LayerInputs): tf.Tensor2D {
  const gated = project(x, { weight: gate }, 'gate', inputs);
  const raised = project(x, { weight: up }, 'up', inputs);
  const inner = tf.mul(tf.mul(gated, tf.sigmoid(gated)), raised) as tf.Tensor2D;
  return project(inner, { weight: down }, 'down', inputs);
}

/** A product with its bias and what adapters add to it. */
function project(
  x: tf.Tensor2D,
  { weight, bias }: Partial<Linear> & Pick<Linear, 'weight'>,
  name: Projection,
  inputs: LayerInputs,
): tf.Tensor2D {
  const product: tf.Tensor2D = tf.matMul(x, weight, false, true);
  return addAdapters(bias ? tf.add(product, bias) : product, x, name, inputs);
}
