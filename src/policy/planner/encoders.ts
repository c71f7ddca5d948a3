/** Text encoders: token ids to one vector per text and one per token. */
import * as tf from '@tensorflow/tfjs-core';
import type { PolicySpec } from '../spec.ts';
import { EMBEDDING } from './encoder-layout.ts';
import { gruStates } from './gru.ts';
import { indices, matrix, segmentSum, take, weight, type Weights } from './ops.ts';
import type { EncodedTexts, FlatTexts } from './texts.ts';
import { transformerStates } from './transformer.ts';
import { textWidth } from './width.ts';

/** Encodes distinct texts; a text's vector is the mean of its tokens' states, for all encoders. */
export function encodeTexts(spec: PolicySpec, weights: Weights, texts: FlatTexts): EncodedTexts {
  if (texts.tokens.length === 0) {
    const width = textWidth(spec);
    return { pooled: tf.zeros([texts.count, width]), states: tf.zeros([0, width]) };
  }
  const states = tokenStates(spec, weights, texts);
  return { states, pooled: meanByText(states, texts) };
}

function tokenStates(spec: PolicySpec, weights: Weights, texts: FlatTexts): tf.Tensor2D {
  const embedded = take(weight<tf.Tensor2D>(weights, EMBEDDING), indices(texts.tokens));
  switch (spec.text.encoder) {
    case 'bag':
      return embedded;
    case 'gru':
      return gruStates(weights, embedded, texts);
    case 'transformer':
      return transformerStates(spec, weights, embedded, texts);
  }
}

/** Mean of each text's token vectors, zeros for an empty text. */
function meanByText(states: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const share = new Float32Array(texts.count);
  for (let t = 0; t < texts.count; t++) share[t] = 1 / Math.max(1, texts.start[t + 1]! - texts.start[t]!);
  return tf.mul(segmentSum(states, indices(texts.textOf), texts.count), matrix(share, texts.count, 1));
}
