import type * as tf from '@tensorflow/tfjs-core';

/** Distinct texts one after the other. */
export interface FlatTexts {
  count: number;
  tokens: Int32Array;
  /** Text of each token. */
  textOf: Int32Array;
  /** Where each text starts; count + 1 entries. */
  start: Int32Array;
  /** Length of the longest text. */
  longest: number;
}

/** What an encoder gives: a vector for each text and one for each of its tokens. */
export type EncodedTexts = {
  /** [count, width]; zeros for an empty text. */
  pooled: tf.Tensor2D;
  /** States of the tokens at these places among all tokens, [rows, width]. */
  at: (rows: Int32Array) => tf.Tensor2D;
};

/** Lays texts one after the other. */
export function flattenTexts(texts: readonly Int32Array[]): FlatTexts {
  const start = new Int32Array(texts.length + 1);
  let longest = 0;
  texts.forEach((text, index) => {
    start[index + 1] = start[index]! + text.length;
    longest = Math.max(longest, text.length);
  });
  const tokens = new Int32Array(start[texts.length]!);
  const textOf = new Int32Array(tokens.length);
  texts.forEach((text, index) => {
    tokens.set(text, start[index]!);
    textOf.fill(index, start[index]!, start[index + 1]!);
  });
  return { count: texts.length, tokens, textOf, start, longest };
}
