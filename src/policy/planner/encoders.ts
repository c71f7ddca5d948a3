/** Text encoders: token ids to one vector per text and one per token. */
import * as tf from '@tensorflow/tfjs-core';
import type { PlannerSpec } from './spec.ts';
import { EMBEDDING } from './encoder-layout.ts';
import { gruStates } from './gru.ts';
import { indices, meanRows, take, weight, type TensorMap } from './ops.ts';
import type { EncodedTexts, FlatTexts } from './texts.ts';
import { transformerStates } from './transformer.ts';
import { textWidth } from './width.ts';

/** Encodes distinct texts; a text's vector is the mean of its tokens' states, for all encoders. */
export function encodeTexts(spec: PlannerSpec, weights: TensorMap, texts: FlatTexts): EncodedTexts {
  const { tokens, start } = texts;
  if (tokens.length === 0) {
    const width = textWidth(spec);
    return { pooled: tf.zeros([texts.count, width]), at: (rows) => tf.zeros([rows.length, width]) };
  }
  const embedding = weight<tf.Tensor2D>(weights, EMBEDDING);
  // A bag's states are rows of the table: they need not be laid out to be averaged.
  if (spec.text.encoder === 'bag') {
    const at = (rows: Int32Array): tf.Tensor2D => take(embedding, indices(rows.map((row) => tokens[row]!)));
    return { pooled: meanRows(embedding, tokens, start), at };
  }
  const embedded = take(embedding, indices(tokens));
  const states =
    spec.text.encoder === 'gru' ? gruStates(weights, embedded, texts) : transformerStates(spec, weights, embedded, texts);
  const all = Int32Array.from(tokens, (_, row) => row);
  return { pooled: meanRows(states, all, start), at: (rows) => take(states, indices(rows)) };
}
