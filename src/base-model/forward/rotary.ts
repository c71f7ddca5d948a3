/** Rotary position embedding (Su et al., arXiv 2104.09864), rotating the two halves of a head as Hugging Face does. */
import * as tf from '@tensorflow/tfjs-core';
import type { ModelConfig } from '../config.ts';

/** Cosines and sines of positions, [rows, 1, headSize] each, and the matrix that turns a head by a quarter, [headSize, headSize]. */
export interface RotaryTables {
  cos: tf.Tensor3D;
  sin: tf.Tensor3D;
  quarterTurn: tf.Tensor2D;
}

/** Angles per position, `headSize / 2` of them. */
export function rotaryFrequencies({ headSize, ropeBase, ropeFactors }: ModelConfig): Float64Array {
  return Float64Array.from({ length: headSize / 2 }, (_, i) => ropeBase ** ((-2 * i) / headSize) / (ropeFactors?.[i] ?? 1));
}

/** Tables for rows at these positions. */
export function rotaryTables(config: ModelConfig, positions: readonly number[]): RotaryTables {
  const { headSize } = config;
  const half = headSize / 2;
  const frequencies = rotaryFrequencies(config);
  const angleOf = (index: number): number => positions[Math.floor(index / headSize)]! * frequencies[index % half]!;
  const table = (wave: (angle: number) => number): tf.Tensor3D =>
    tf.tensor3d(
      Float32Array.from({ length: positions.length * headSize }, (_, index) => wave(angleOf(index))),
      [positions.length, 1, headSize],
    );
  // Row i of the matrix says where number i goes: the second half, negated, to the first, and the first half to the second.
  const turn = new Float32Array(headSize * headSize);
  for (let i = 0; i < half; i++) {
    turn[(i + half) * headSize + i] = -1;
    turn[i * headSize + i + half] = 1;
  }
  return { cos: table(Math.cos), sin: table(Math.sin), quarterTurn: tf.tensor2d(turn, [headSize, headSize]) };
}

/**
 * Turns heads [rows, heads, headSize] by the angles of their positions. A product with a constant matrix turns by a quarter: it is exact, and on
 * every backend faster than slices.
 */
export function rotate(x: tf.Tensor3D, { cos, sin, quarterTurn }: RotaryTables): tf.Tensor3D {
  const [rows, heads, size] = x.shape;
  const turned = tf.reshape(tf.matMul(tf.reshape(x, [rows * heads, size]) as tf.Tensor2D, quarterTurn), x.shape);
  return tf.add(tf.mul(x, cos), tf.mul(turned, sin)) as tf.Tensor3D;
}
