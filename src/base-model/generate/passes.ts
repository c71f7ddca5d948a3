/** How an engine computes: passes over new tokens of several texts, and what is kept of those before. */
import * as tf from '@tensorflow/tfjs-core';
import type { Adapter } from '../forward/adapter.ts';
import { KeyValueCache } from '../forward/cache.ts';
import { forward, logitsOf } from '../forward/forward.ts';
import type { ModelWeights } from '../forward/weights.ts';

/** Keys and values of the tokens of one text. */
export interface TextMemory {
  /** Tokens in it. */
  readonly length: number;
  /** Another one that begins with the first tokens of this one. @param length - how many; no more than there are */
  fork(length: number): TextMemory;
  dispose(): void;
}

/** New tokens of a text. */
export interface Part {
  memory: TextMemory;
  tokens: readonly number[];
  adapter: Adapter | undefined;
  /** For how many of the last tokens the logits after them are wanted. */
  wanted: number;
}

/** Something that computes logits. */
export interface Passes {
  /** Bytes that {@link TextMemory} takes for each token. */
  readonly bytesPerToken: number;
  /** Memory of a text without tokens. */
  open(): TextMemory;
  /** Computes new tokens, which are then in their memories, and returns the logits that are wanted, part after part. Each memory only once. */
  run(parts: readonly Part[]): Float32Array[];
}

/**
 * Passes of plain operations, on any backend. `deterministic`: each token is a pass of its own, so that its sums are the same whatever else is computed:
 * a product of more rows may add up in another order.
 */
export function plainPasses(weights: ModelWeights, { deterministic }: { deterministic: boolean }): Passes {
  const { config } = weights;
  return {
    bytesPerToken: 2 * 4 * config.layers * config.kvHeads * config.headSize,
    open: () => plainMemory(new KeyValueCache(config)),
    run(parts) {
      if (!deterministic) return pass(weights, parts);
      return parts.flatMap((part) => {
        const first = part.tokens.length - part.wanted;
        return part.tokens.flatMap((token, index) =>
          pass(weights, [{ ...part, tokens: [token], wanted: Number(index >= first) }]),
        );
      });
    },
  };
}

const caches = new WeakMap<TextMemory, KeyValueCache>();

function plainMemory(cache: KeyValueCache): TextMemory {
  const memory: TextMemory = {
    get length() {
      return cache.length;
    },
    fork(length) {
      const copy = cache.fork();
      copy.truncate(length);
      return plainMemory(copy);
    },
    dispose: () => cache.dispose(),
  };
  caches.set(memory, cache);
  return memory;
}

function pass(weights: ModelWeights, parts: readonly Part[]): Float32Array[] {
  let end = 0;
  const rows = parts.flatMap(({ tokens, wanted }) => {
    end += tokens.length;
    return Array.from({ length: wanted }, (_, index) => end - wanted + index);
  });
  return tf.tidy(() => {
    const hidden = forward(
      weights,
      parts.map(({ memory, tokens, adapter }) => ({ tokens, cache: caches.get(memory)!, ...(adapter && { adapter }) })),
    );
    if (rows.length === 0) return [];
    const logits = logitsOf(weights, tf.gather(hidden, tf.tensor1d(rows, 'int32'))).dataSync() as Float32Array;
    const width = logits.length / rows.length;
    return rows.map((_, row) => logits.slice(row * width, (row + 1) * width));
  });
}
