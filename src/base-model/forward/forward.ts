import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../compute/fused.ts';
import type { KeyValueCache } from './cache.ts';
import { passInputs, type Sequence } from './inputs.ts';
import { transformerLayer } from './layer.ts';
import type { ModelWeights } from './weights.ts';

/**
 * Hidden states after the last norm, [rows, width]: a row for each new token, sequence after sequence. The reference on plain operations, in float32;
 * each layer is a tidy of its own, because one over all layers holds more than the memory of the wasm backend.
 *
 * `invalid_argument` for an empty sequence, an unknown token, more tokens than the model has positions, an adapter of another model, a cache that is
 * used twice, or an `after` that names none of the sequences before.
 */
export function forward(weights: ModelWeights, sequences: readonly Sequence[]): tf.Tensor2D {
  const { config, layers } = weights;
  const inputs = passInputs(config, sequences);
  let x = embed(weights, sequences);
  try {
    layers.forEach((layer, index) => {
      const y = tf.tidy(() => transformerLayer(x, layer, { ...inputs, index }));
      x.dispose();
      x = y;
    });
    for (const { tokens, cache } of sequences) cache?.commit(tokens.length);
    return tf.tidy(() => rmsNorm(x, weights.norm, config.normEpsilon));
  } finally {
    x.dispose();
    inputs.dispose();
  }
}

/** Embeddings of all tokens, [rows, width]. */
export function embed({ embedding }: ModelWeights, sequences: readonly Pick<Sequence, 'tokens'>[]): tf.Tensor2D {
  const ids = sequences.flatMap(({ tokens }) => tokens);
  return tf.tidy(() => tf.gather(embedding, tf.tensor1d(ids, 'int32')));
}

/** Logits [rows, vocabulary] of hidden states [rows, width]. */
export function logitsOf({ head }: ModelWeights, hidden: tf.Tensor2D): tf.Tensor2D {
  return tf.matMul(hidden, head, false, true);
}

/** The most likely tokens after a prompt, one after the other. @param count - how many; fewer when a token of `stop` comes, which is the last then */
export function greedyTokens(
  weights: ModelWeights,
  prompt: readonly number[],
  { count, stop = [], cache }: { count: number; stop?: readonly number[]; cache: KeyValueCache },
): number[] {
  const tokens: number[] = [];
  let next = prompt;
  while (tokens.length < count) {
    const token = tf.tidy(() => {
      const hidden = forward(weights, [{ tokens: next, cache }]);
      const last = tf.slice(hidden, [hidden.shape[0] - 1, 0], [1, -1]);
      return tf.argMax(logitsOf(weights, last), 1).dataSync()[0]!;
    });
    tokens.push(token);
    if (stop.includes(token)) break;
    next = [token];
  }
  return tokens;
}
