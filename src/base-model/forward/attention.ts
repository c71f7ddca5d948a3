import * as tf from '@tensorflow/tfjs-core';

/** Queries of one sequence [tokens, heads, headSize], and keys and values [kvHeads, all tokens, headSize] that end with those of the same tokens. */
export interface AttentionInputs {
  q: tf.Tensor3D;
  keys: tf.Tensor3D;
  values: tf.Tensor3D;
  /** [tokens, all tokens], added to scores: what a token must not see is {@link HIDDEN}. Default: what comes after it. */
  mask?: tf.Tensor2D | undefined;
}

/**
 * Causal attention where several heads of queries share a head of keys and values (Ainslie et al., arXiv 2305.13245): a token sees itself and those
 * before it. Returns [tokens, heads · headSize].
 */
export function causalAttention({ q, keys, values, mask }: AttentionInputs): tf.Tensor2D {
  const [tokens, heads, size] = q.shape;
  const [kvHeads, total] = keys.shape;
  const shared = heads / kvHeads;
  // [kvHeads, shared · tokens, size]: heads that share keys are one product.
  const queries = tf.reshape(tf.transpose(q, [1, 0, 2]), [kvHeads, shared * tokens, size]);
  const products = tf.reshape(tf.matMul(queries, keys, false, true), [heads, tokens, total]);
  const scores = tf.mul(products, 1 / Math.sqrt(size));
  const weights = tf.softmax(tokens === 1 && !mask ? scores : tf.add(scores, mask ?? causalMask(tokens, total)));
  const mixed = tf.matMul(tf.reshape(weights, [kvHeads, shared * tokens, total]), values);
  return tf.reshape(tf.transpose(tf.reshape(mixed, [heads, tokens, size]), [1, 0, 2]), [tokens, heads * size]);
}

/** What a token must not see, as a number so far below others that its softmax is 0; infinity would make NaN of its gradient. */
export const HIDDEN = -1e30;

/** [tokens, total]: row t sees the first `total - tokens + t + 1`. */
function causalMask(tokens: number, total: number): tf.Tensor2D {
  const mask = new Float32Array(tokens * total);
  for (let row = 0; row < tokens; row++) mask.fill(HIDDEN, row * total + total - tokens + row + 1, (row + 1) * total);
  return tf.tensor2d(mask, [tokens, total]);
}
