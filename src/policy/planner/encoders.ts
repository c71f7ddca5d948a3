/** Text encoders: token ids to one vector per text and one per token. */
import * as tf from '@tensorflow/tfjs-core';
import type { PolicySpec } from '../spec.ts';
import { textWidth } from './width.ts';
import { EMBEDDING } from './encoder-layout.ts';
import { indices, matrix, segmentSum, take, weight, type Weights } from './ops.ts';
import type { EncodedTexts, FlatTexts } from './texts.ts';

/** Encodes distinct texts. */
export function encodeTexts(spec: PolicySpec, weights: Weights, texts: FlatTexts): EncodedTexts {
  if (texts.tokens.length === 0) {
    const width = textWidth(spec);
    return { pooled: tf.zeros([texts.count, width]), states: tf.zeros([0, width]) };
  }
  return bag(weights, texts);
}

/** Mean of the token embeddings; a token's state is its embedding. */
function bag(weights: Weights, texts: FlatTexts): EncodedTexts {
  const states = take(weight<tf.Tensor2D>(weights, EMBEDDING), indices(texts.tokens));
  return { states, pooled: meanByText(states, texts) };
}

/** Mean of each text's token vectors, zeros for an empty text. */
export function meanByText(states: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const share = new Float32Array(texts.count);
  for (let t = 0; t < texts.count; t++) share[t] = 1 / Math.max(1, texts.start[t + 1]! - texts.start[t]!);
  return tf.mul(segmentSum(states, indices(texts.textOf), texts.count), matrix(share, texts.count, 1));
}
