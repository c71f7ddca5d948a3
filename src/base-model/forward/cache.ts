import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../../errors.ts';
import type { ModelConfig } from '../config.ts';

/** Keys and values of one sequence. */
interface Stored {
  /** [kvHeads, tokens, headSize], keys after rotation. */
  keys: tf.Tensor3D;
  values: tf.Tensor3D;
}

/** What attention keeps of the tokens of one sequence, so that each token is computed once. Dispose of it after use. */
export class KeyValueCache {
  #length = 0;
  readonly #layers: (Stored | undefined)[];

  constructor({ layers }: Pick<ModelConfig, 'layers'>) {
    this.#layers = Array.from({ length: layers }, () => undefined);
  }

  /** Tokens in it. */
  get length(): number {
    return this.#length;
  }

  /**
   * Adds keys and values of new tokens to a layer, and returns those of all tokens. They count once every layer has them and {@link commit} was called;
   * what a failed pass left behind is dropped here.
   */
  append(layer: number, { keys, values }: Stored): Stored {
    const before = this.#layers[layer];
    const kept = {
      keys: tf.keep(this.#join(before?.keys, keys)),
      values: tf.keep(this.#join(before?.values, values)),
    };
    dispose(before);
    this.#layers[layer] = kept;
    return kept;
  }

  /** Says that every layer has these new tokens. */
  commit(tokens: number): void {
    this.#length += tokens;
  }

  /** Forgets all but the first tokens. */
  truncate(length: number): void {
    if (!(Number.isInteger(length) && length >= 0 && length <= this.#length)) {
      throw new MillraceError('invalid_argument', `a cache of ${this.#length} tokens cannot be cut to ${length}`);
    }
    this.#length = length;
  }

  /** Another cache that begins with the same tokens; what is there is shared until one of the two adds to it. */
  fork(): KeyValueCache {
    const copy = new KeyValueCache({ layers: this.#layers.length });
    this.#layers.forEach((stored, layer) => {
      if (stored) copy.#layers[layer] = { keys: tf.keep(tf.clone(stored.keys)), values: tf.keep(tf.clone(stored.values)) };
    });
    copy.#length = this.#length;
    return copy;
  }

  dispose(): void {
    this.#layers.forEach(dispose);
    this.#layers.fill(undefined);
    this.#length = 0;
  }

  #join(before: tf.Tensor3D | undefined, added: tf.Tensor3D): tf.Tensor3D {
    if (before === undefined || this.#length === 0) return tf.clone(added);
    const [heads, , size] = before.shape;
    return tf.tidy(() => tf.concat([tf.slice(before, [0, 0, 0], [heads, this.#length, size]), added], 1));
  }
}

function dispose(stored: Stored | undefined): void {
  stored?.keys.dispose();
  stored?.values.dispose();
}
