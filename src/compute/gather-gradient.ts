import * as tf from '@tensorflow/tfjs-core';

/**
 * The gradient of tf.gather with respect to the tensor gathered from: what flowed into each row, added up by row.
 * @param dy [batch.., outer.., index.., inner..]
 * @param x [batch.., outer.., rows, inner..]
 * @param indices [batch.., index..], int32
 * @param attrs `axis`, of the rows; `batchDims`, how many dimensions x and indices have in common
 */
export function gatherGradient(dy: tf.Tensor, x: tf.Tensor, indices: tf.Tensor, attrs: tf.NamedAttrMap): tf.Tensor {
  const batchDims = (attrs['batchDims'] as number | undefined) ?? 0;
  const axis = tf.util.parseAxisParam(attrs['axis'] as number, x.shape)[0]!;
  const rows = x.shape[axis]!;
  if (axis === 0) return sums(dy, indices, rows, x.shape);

  const batch = x.shape.slice(0, batchDims);
  const outer = x.shape.slice(batchDims, axis);
  const inner = x.shape.slice(axis + 1);
  const batches = product(batch);
  const each = product(indices.shape.slice(batchDims));
  // The rows of each batch follow those of the batch before, so one sum over segments does all of them.
  const flowed = tf.transpose(tf.reshape(dy, [batches, product(outer), each, product(inner)]), [0, 2, 1, 3]);
  const first = tf.range(0, batches, 1, 'int32');
  const row = tf.add(tf.reshape(indices, [batches, each]), tf.reshape(tf.mul(first, tf.scalar(rows, 'int32')), [batches, 1]));
  const summed = sums(flowed, row, batches * rows, [batches, rows, product(outer), product(inner)]);
  return tf.reshape(tf.transpose(summed, [0, 2, 1, 3]), x.shape);
}

function sums(dy: tf.Tensor, indices: tf.Tensor, rows: number, shape: number[]): tf.Tensor {
  const width = rows === 0 ? 0 : product(shape) / rows;
  const row = tf.reshape(indices, [indices.size]) as tf.Tensor1D;
  return tf.reshape(tf.unsortedSegmentSum(tf.reshape(dy, [indices.size, width]), row, rows), shape);
}

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);
