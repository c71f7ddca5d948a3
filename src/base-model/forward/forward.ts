import * as tf from '@tensorflow/tfjs-core';
import { rmsNorm } from '../../compute/fused.ts';
import { MillraceError } from '../../errors.ts';
import { adapterRuns, type Adapter } from './adapter.ts';
import type { KeyValueCache } from './cache.ts';
import { transformerLayer } from './layer.ts';
import { rotaryTables } from './rotary.ts';
import type { ModelWeights } from './weights.ts';

/** New tokens of one sequence. */
export interface Sequence {
  /** Ids, at least one. */
  tokens: readonly number[];
  /** What was computed of the tokens before; the new ones are added. Default: there are none before, and nothing is kept. */
  cache?: KeyValueCache;
  /** Default: the weights as they are. Sequences with the same one are computed together where they follow one another. */
  adapter?: Adapter;
}

/**
 * Hidden states after the last norm, [rows, width]: a row for each new token, sequence after sequence. The reference on plain operations, in float32;
 * each layer is a tidy of its own, because one over all layers holds more than the memory of the wasm backend.
 *
 * `invalid_argument` for an empty sequence, an unknown token, more tokens than the model has positions, an adapter of another model, or a cache
 * that is used twice.
 */
export function forward(weights: ModelWeights, sequences: readonly Sequence[]): tf.Tensor2D {
  const { config, layers } = weights;
  check(weights, sequences);
  const ids = sequences.flatMap(({ tokens }) => tokens);
  const positions = sequences.flatMap(({ tokens, cache }) => tokens.map((_, index) => (cache?.length ?? 0) + index));
  const parts = sequences.map(({ tokens, cache }) => ({ tokens: tokens.length, cache }));
  const runs = adapterRuns(sequences.map(({ tokens, adapter }) => ({ rows: tokens.length, adapter })));
  const rotary = rotaryTables(config, positions);
  let x = tf.tidy(() => tf.gather(weights.embedding, tf.tensor1d(ids, 'int32')));
  try {
    layers.forEach((layer, index) => {
      const y = tf.tidy(() => transformerLayer(x, layer, { config, index, rotary, sequences: parts, runs }));
      x.dispose();
      x = y;
    });
    for (const { tokens, cache } of sequences) cache?.commit(tokens.length);
    return tf.tidy(() => rmsNorm(x, weights.norm, config.normEpsilon));
  } finally {
    tf.dispose([x, rotary.cos, rotary.sin, rotary.quarterTurn]);
  }
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

function check({ config }: ModelWeights, sequences: readonly Sequence[]): void {
  const invalid = (message: string) => new MillraceError('invalid_argument', message, { field: 'sequences' });
  if (sequences.length === 0) throw invalid('there are no sequences');
  const caches = sequences.flatMap(({ cache }) => (cache ? [cache] : []));
  if (new Set(caches).size !== caches.length) throw invalid('two sequences have the same cache');
  for (const { tokens, cache, adapter } of sequences) {
    if (tokens.length === 0) throw invalid('a sequence has no tokens');
    if (adapter && adapter.layers.length !== config.layers) {
      throw invalid(`an adapter of ${adapter.layers.length} layers; the model has ${config.layers}`);
    }
    const unknown = tokens.find((id) => !(Number.isInteger(id) && id >= 0 && id < config.vocabulary));
    if (unknown !== undefined) throw invalid(`there is no token ${unknown}: the model has ${config.vocabulary}`);
    const total = (cache?.length ?? 0) + tokens.length;
    if (total > config.contextLength) throw invalid(`${total} tokens; the model has ${config.contextLength} positions`);
  }
}
