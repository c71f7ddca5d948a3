/** The few operations the network is made of, with gradients that use as few kernels as possible. */
import * as tf from '@tensorflow/tfjs-core';
import { dense as fusedDense, hasKernel, runKernel, type DenseActivation } from '../../compute/fused.ts';

/** The network's parameters by name. */
export type TensorMap = ReadonlyMap<string, tf.Tensor>;

/** A parameter that must exist. */
export function weight<T extends tf.Tensor>(weights: TensorMap, name: string): T {
  const tensor = weights.get(name);
  if (!tensor) throw new Error(`the planner has no parameter ${name}`);
  return tensor as T;
}

/** A matrix from row-major values. */
export function matrix(values: Float32Array, rows: number, columns: number): tf.Tensor2D {
  return tf.tensor2d(values, [rows, columns], 'float32');
}

/** A vector of indices. */
export function indices(values: Int32Array): tf.Tensor1D {
  return tf.tensor1d(values, 'int32');
}

/** Rows (or entries) of `x` at `index`; its gradient is one segment sum. */
export function take<T extends tf.Tensor>(x: T, index: tf.Tensor1D): T {
  const op = tf.customGrad((input: tf.Tensor | tf.GradSaveFunc, save: tf.Tensor | tf.GradSaveFunc) => {
    (save as tf.GradSaveFunc)([index]);
    return {
      value: tf.gather(input as tf.Tensor, index),
      gradFunc: (dy: tf.Tensor, [ids]: tf.Tensor[]) => tf.unsortedSegmentSum(dy, ids as tf.Tensor1D, x.shape[0]!),
    };
  });
  return op(x) as T;
}

/** Sums the rows of `x` by segment; its gradient is one gather. Ids need not be sorted. */
export function segmentSum(x: tf.Tensor2D, segments: tf.Tensor1D, count: number): tf.Tensor2D {
  const op = tf.customGrad((input: tf.Tensor | tf.GradSaveFunc, save: tf.Tensor | tf.GradSaveFunc) => {
    (save as tf.GradSaveFunc)([segments]);
    return {
      value: tf.unsortedSegmentSum(input as tf.Tensor2D, segments, count),
      gradFunc: (dy: tf.Tensor, [ids]: tf.Tensor[]) => tf.gather(dy, ids as tf.Tensor1D),
    };
  });
  return op(x) as tf.Tensor2D;
}

/** Means of the rows of `table` at index[start[t]] to index[start[t + 1] - 1] for each t; zeros where there are none. */
export function meanRows(table: tf.Tensor2D, index: Int32Array, start: Int32Array): tf.Tensor2D {
  const count = start.length - 1;
  if (!hasKernel('Bag')) {
    const segments = new Int32Array(index.length);
    for (let t = 0; t < count; t++) segments.fill(t, start[t], start[t + 1]);
    const share = Float32Array.from({ length: count }, (_, t) => 1 / Math.max(1, start[t + 1]! - start[t]!));
    return tf.mul(segmentSum(take(table, indices(index)), indices(segments), count), matrix(share, count, 1));
  }
  const op = tf.customGrad((...args) => {
    const [table, save] = args as [tf.Tensor2D, tf.GradSaveFunc];
    const [tokens, starts] = [indices(index), indices(start)];
    save([tokens, starts]);
    return {
      value: runKernel<tf.Tensor>('Bag', { table, tokens, starts }),
      gradFunc: (dy: tf.Tensor, [tokens, starts]: tf.Tensor[]) =>
        runKernel<tf.Tensor>('BagGrad', { dy, tokens: tokens!, starts: starts! }, { rows: table.shape[0] }),
    };
  });
  return op(table) as tf.Tensor2D;
}

/** activation(x W + b) for the layer `name`; without b when it has none. */
export function dense(weights: TensorMap, name: string, x: tf.Tensor2D, activation?: DenseActivation): tf.Tensor2D {
  const bias = weights.get(`${name}.bias`) as tf.Tensor1D | undefined;
  return fusedDense(x, weight<tf.Tensor2D>(weights, `${name}.weight`), bias, activation);
}

/** Side by side, leaving out matrices without columns. */
export function beside(parts: tf.Tensor2D[]): tf.Tensor2D {
  const wide = parts.filter((part) => part.shape[1] > 0);
  return wide.length === 1 ? wide[0]! : tf.concat2d(wide, 1);
}
