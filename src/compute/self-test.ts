import * as tf from '@tensorflow/tfjs-core';

/** Runs what training needs, forward and backward, on the current backend and compares with numbers worked out by hand. */
export function selfTest(): void {
  tf.tidy(() => {
    const table = tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]);
    const index = tf.tensor1d([2, 0, 2], 'int32');
    const w = tf.tensor2d([1, -1, 0.5, 2], [2, 2]);
    const loss = (x: tf.Tensor) => tf.sum(tf.mul(tf.matMul(tf.gather(x, index), w), tf.tensor2d([1, 0, 0, 1, 2, 1], [3, 2])));
    expectClose('product', loss(table), [8 + 3 + 23]);
    // Rows 0 and 2 of the table get what flows into the rows gathered from them; row 1 was not used.
    expectClose('gradient', tf.grad(loss)(table), [-1, 2, 0, 0, 2, 3.5]);
    expectClose('transposed product', tf.matMul(table, w, false, true), [-1, 4.5, -1, 9.5, -1, 14.5]);
    expectClose('tanh', tf.tanh(tf.tensor1d([-1, 0, 0.5])), [-0.7615941, 0, 0.4621172]);
  });
}

function expectClose(what: string, tensor: tf.Tensor, expected: readonly number[]): void {
  const values = tensor.dataSync();
  if (values.length !== expected.length || expected.some((value, index) => Math.abs(value - values[index]!) > 1e-4)) {
    throw new Error(`self-test failed: ${what} gives [${[...values].join(', ')}], expected [${expected.join(', ')}]`);
  }
}

/** Speed of a 256 x 256 matrix product in GFLOP/s, over about 30 ms. */
export function measureGflops(): number {
  const n = 256;
  const a = tf.ones<tf.Rank.R2>([n, n]);
  const b = tf.ones<tf.Rank.R2>([n, n]);
  const multiply = () => {
    const product = tf.matMul(a, b);
    const value = product.dataSync();
    product.dispose();
    return value;
  };
  multiply();
  const start = performance.now();
  let products = 0;
  do {
    multiply();
    products++;
  } while (performance.now() - start < 30);
  const seconds = (performance.now() - start) / 1000;
  tf.dispose([a, b]);
  return (2 * n ** 3 * products) / seconds / 1e9;
}
