/** What tfjs-node's kernels leave to TensorFlow that TensorFlow does not do, or does otherwise than tfjs's other backends. */
import * as tf from '@tensorflow/tfjs-core';

const BACKEND = 'tensorflow';

/** Given the kernel as it is, calculates what its inputs need otherwise; undefined leaves them to the kernel. */
type Exception = (inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => tf.Tensor | undefined;

const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  /** TensorFlow has no such sums of bool; of others' they are float32. */
  UnsortedSegmentSum: ({ x, segmentIds }, attrs) =>
    x!.dtype === 'bool'
      ? tf.unsortedSegmentSum(tf.cast(x!, 'float32'), segmentIds as tf.Tensor1D, attrs['numSegments'] as number)
      : undefined,
  /** tfjs-node chooses between floats, whatever the input is. */
  Step: ({ x }, attrs) =>
    x!.dtype === 'float32' ? undefined : tf.cast(tf.step(tf.cast(x!, 'float32'), attrs['alpha'] as number), x!.dtype),
  /** The mean of nothing is NaN there and 0 everywhere else. */
  Mean: ({ x }, attrs) => {
    const axes = tf.util.parseAxisParam(attrs['axis'] as number | number[], x!.shape);
    const over = axes.reduce((product, axis) => product * x!.shape[axis]!, 1);
    if (over > 0) return undefined;
    const shape = x!.shape.flatMap((size, axis) => (!axes.includes(axis) ? [size] : attrs['keepDims'] ? [1] : []));
    return tf.zeros(shape);
  },
};

let registered = false;

/** Registers them. Call after the package is imported; calling again does nothing. */
export function registerTensorflowKernels(): void {
  if (registered) return;
  registered = true;
  for (const [kernelName, exception] of Object.entries(EXCEPTIONS)) {
    const original = tf.getKernel(kernelName, BACKEND);
    if (!original) continue;
    tf.unregisterKernel(kernelName, BACKEND);
    tf.registerKernel({
      ...original,
      kernelFunc: (call) => {
        const { inputs, attrs } = call as unknown as { inputs: tf.NamedTensorMap; attrs: tf.NamedAttrMap };
        return tf.tidy(() => exception(inputs, attrs)!) ?? original.kernelFunc(call);
      },
    });
  }
}
