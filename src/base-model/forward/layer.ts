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
  /** For each sequence its new tokens, rows that follow one another, and its cache; without one the tokens are all there is. */
  sequences: readonly { tokens: number; cache?: KeyValueCache | undefined }[];
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
  const { config, index, rotary, sequences } = inputs;
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
  let start = 0;
  const outputs = sequences.map(({ tokens, cache }) => {
    const part = (tensor: tf.Tensor3D): tf.Tensor3D =>
      sequences.length === 1 ? tensor : tf.slice(tensor, [start, 0, 0], [tokens, tensor.shape[1], headSize]);
    const byHead = (tensor: tf.Tensor3D): tf.Tensor3D => tf.transpose(part(tensor), [1, 0, 2]);
    const added = { keys: byHead(k), values: byHead(v) };
    const output = causalAttention({ q: part(q), ...(cache ? cache.append(index, added) : added) });
    start += tokens;
    return output;
  });
  return project(outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0), weights.o, 'o', inputs);
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
