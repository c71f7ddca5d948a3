/** A head for values of situations: one product of the hidden state that a token was written from. */
import * as tf from '@tensorflow/tfjs-core';
import type { HeadRows } from './head.ts';

/** Numbers of the head: [width] weights, then the bias. */
export interface ValueHead {
  values: Float32Array;
  /** Place of its gradient in the flat array. */
  offset: number;
}

/** Values of the situations of all targets, of hidden states [rows, width]. */
export function valuesOf({ values }: ValueHead, hidden: tf.Tensor2D, { targets }: HeadRows): Float64Array {
  const width = hidden.shape[1];
  const states = hidden.dataSync();
  const found = new Float64Array(targets.reduce((sum, { length }) => sum + length, 0));
  targets.forEach((of, row) => {
    let value = values[width]!;
    for (let i = 0; i < width; i++) value += values[i]! * states[row * width + i]!;
    for (const { place } of of) found[place] = value;
  });
  return found;
}

/** Adds the gradient of the head, and returns what flows on to the hidden states. @param by - derivative of the loss with respect to each value */
export function valueBackward(
  { values, offset }: ValueHead,
  hidden: tf.Tensor2D,
  { of, by, gradient }: { of: HeadRows; by: Float64Array; gradient: Float64Array },
): tf.Tensor2D {
  const [rows, width] = hidden.shape;
  const states = hidden.dataSync();
  const flow = new Float32Array(rows * width);
  of.targets.forEach((targets, row) => {
    const slope = targets.reduce((sum, { place }) => sum + by[place]!, 0);
    for (let i = 0; i < width; i++) {
      flow[row * width + i] = slope * values[i]!;
      gradient[offset + i]! += slope * states[row * width + i]!;
    }
    gradient[offset + width]! += slope;
  });
  return tf.tensor2d(flow, [rows, width]);
}
