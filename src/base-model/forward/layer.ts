import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../compute/fused.ts';
import type { ModelConfig } from '../config.ts';
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
}

/**
 * One transformer layer over the rows of all sequences, x [rows, width]: products run over all rows, attention over each sequence. A compiled kernel
 * can take its place; this is what it has to agree with.
 */
export function transformerLayer(x: tf.Tensor2D, weights: LayerWeights, inputs: LayerInputs): tf.Tensor2D {
  const { normEpsilon } = inputs.config;
  const attended = tf.add(x, attention(rmsNorm(x, weights.attentionNorm, normEpsilon), weights, inputs));
  const normed = rmsNorm(attended as tf.Tensor2D, weights.feedForwardNorm, normEpsilon);
  return tf.add(attended, feedForward(normed, weights));
}

function attention(x: tf.Tensor2D, weights: LayerWeights, { config, index, rotary, sequences }: LayerInputs): tf.Tensor2D {
  const { heads, kvHeads, headSize, normEpsilon } = config;
  const rows = x.shape[0];
  const headsOf = (layer: Linear, count: number, gain?: tf.Tensor1D): tf.Tensor3D => {
    const y = linear(x, layer);
    const split = tf.reshape(y, [rows * count, headSize]);
    return tf.reshape(gain ? rmsNorm(split, gain, normEpsilon) : split, [rows, count, headSize]);
  };
  const q = rotate(headsOf(weights.q, heads, weights.qNorm), rotary);
  const k = rotate(headsOf(weights.k, kvHeads, weights.kNorm), rotary);
  const v = headsOf(weights.v, kvHeads);
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
  return linear(outputs.length === 1 ? outputs[0]! : tf.concat(outputs, 0), weights.o);
}

/** SwiGLU (Shazeer, arXiv 2002.05202): down(silu(gate x) · up x). */
function feedForward(x: tf.Tensor2D, { gate, up, down }: LayerWeights): tf.Tensor2D {
  const gated = tf.matMul(x, gate, false, true);
  const inner = tf.mul(tf.mul(gated, tf.sigmoid(gated)), tf.matMul(x, up, false, true)) as tf.Tensor2D;
  return tf.matMul(inner, down, false, true);
}

function linear(x: tf.Tensor2D, { weight, bias }: Linear): tf.Tensor2D {
  const y: tf.Tensor2D = tf.matMul(x, weight, false, true);
  return bias ? (tf.add(y, bias) as tf.Tensor2D) : y;
}
