import * as tf from '@tensorflow/tfjs-core';
import type { PlannerSpec } from './spec.ts';
import { encodeTexts } from './encoders.ts';
import { standingPositions, type FlatBatch } from './flatten.ts';
import type { TextVectors } from './network.ts';
import { matrix, type TensorMap } from './ops.ts';
import { flattenTexts } from './texts.ts';
import { textWidth } from './width.ts';

/** Vectors of one text. */
interface Encoded {
  pooled: Float32Array;
  /** One vector per token. */
  states: Float32Array;
}

/** Values held before the cache starts over: 64 MB of float32. */
const LIMIT = 16_000_000;

/**
 * Encoded texts by content, for acting: a flow shows the same texts at every step, and they only change with the weights.
 * Not for learning, where gradients flow through the encoder.
 */
export class TextCache {
  private readonly encoded = new Map<string, Encoded>();
  private size = 0;

  constructor(private readonly spec: PlannerSpec) {}

  /** Forgets everything; to be called when the weights change. */
  clear(): void {
    this.encoded.clear();
    this.size = 0;
  }

  /** What the head needs of the batch's texts; only texts not seen before are encoded. Call within a tidy. */
  vectors(flat: FlatBatch, weights: TensorMap): TextVectors {
    if (this.size > LIMIT) this.clear();
    this.encodeMissing(flat, weights);
    const width = textWidth(this.spec);
    const texts = flat.textKeys.map((key) => this.encoded.get(key)!);
    const pooled = new Float32Array(texts.length * width);
    texts.forEach((text, index) => pooled.set(text.pooled, index * width));
    const at = new Float32Array(flat.items * width);
    standingPositions(flat, (item, text, position) => {
      const from = position * width;
      at.set(texts[text]!.states.subarray(from, from + width), item * width);
    });
    return { pooled: matrix(pooled, texts.length, width), at: matrix(at, flat.items, width) };
  }

  private encodeMissing(flat: FlatBatch, weights: TensorMap): void {
    const missing = flat.texts.map((_, index) => index).filter((index) => !this.encoded.has(flat.textKeys[index]!));
    if (missing.length === 0) return;
    const width = textWidth(this.spec);
    const texts = flattenTexts(missing.map((index) => flat.texts[index]!));
    const vectors = tf.tidy(() => {
      const { pooled, at } = encodeTexts(this.spec, weights, texts);
      return [pooled, at(Int32Array.from(texts.tokens, (_, row) => row))] as const;
    });
    const [pooled, states] = vectors.map((vector) => vector.dataSync() as Float32Array) as [Float32Array, Float32Array];
    tf.dispose([...vectors]);
    missing.forEach((index, i) => {
      this.encoded.set(flat.textKeys[index]!, {
        pooled: pooled.slice(i * width, (i + 1) * width),
        states: states.slice(texts.start[i]! * width, texts.start[i + 1]! * width),
      });
    });
    this.size += pooled.length + states.length;
  }
}
