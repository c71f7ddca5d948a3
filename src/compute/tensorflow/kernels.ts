/** What tfjs-node's kernels leave to TensorFlow that TensorFlow does not do, or does otherwise than tfjs's other backends. */
import * as tf from '@tensorflow/tfjs-core';

const BACKEND = 'tensorflow';

/** Calculates what the kernel that is there would not; undefined leaves the inputs to it. */
type Exception = (inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap) => tf.Tensor | undefined;

const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  /** TensorFlow has no such sums of bool, and those of others are float32. */
  UnsortedSegmentSum: ({ x, segmentIds }, attrs) =>
    x!.dtype === 'float32'
      ? undefined
      : tf.unsortedSegmentSum(tf.cast(x!, 'float32'), segmentIds as tf.Tensor1D, attrs['numSegments'] as number),
  /** tfjs-node chooses between floats, whatever the input is. */
  Step: ({ x }, attrs) =>
    x!.dtype === 'float32' ? undefined : tf.cast(tf.step(tf.cast(x!, 'float32'), attrs['alpha'] as number), x!.dtype),
  /** tfjs-node looks at the indices first, where it neither counts axes from the last nor fetches tensors of another backend. */
  GatherV2: ({ x, indices }, attrs) => {
    const axis = attrs['axis'] as number;
    (tf.backend() as unknown as { tensorMap: tf.DataStorage<unknown> }).tensorMap.get(indices!.dataId);
    return axis < 0 ? tf.gather(x!, indices!, axis + x!.rank, attrs['batchDims'] as number) : undefined;
  },
  /** The mean of nothing is NaN there and 0 everywhere else. */
  Mean: ({ x }, attrs) => {
    const axes = tf.util.parseAxisParam(attrs['axis'] as number | number[], x!.shape);
    const over = axes.reduce((product, axis) => product * x!.shape[axis]!, 1);
    if (over > 0) return undefined;
    const shape = x!.shape.flatMap((size, axis) => (!axes.includes(axis) ? [size] : attrs['keepDims'] ? [1] : []));
    return tf.zeros(shape);
  },
};

/** The same for what only shows when the kernel has failed: looking first would cost every call that does not. */
const AFTER_FAILURE: Readonly<Record<string, Exception>> = {
  /** Rows whose segment is too large are dropped on other backends, and on TensorFlow's GPUs; on its processors they fail. */
  UnsortedSegmentSum: ({ x, segmentIds }, attrs) => {
    const segments = attrs['numSegments'] as number;
    const inside = tf.less(segmentIds!, segments);
    if (tf.all(inside).dataSync()[0]) return undefined;
    const none = tf.fill(segmentIds!.shape, -1, 'int32');
    return tf.unsortedSegmentSum(x!, tf.where(inside, segmentIds!, none) as tf.Tensor1D, segments);
  },
};

let registered = false;

/** Gradients that come with the package and take no batches of different sizes; ours (`gradients.ts`) are registered in their place. */
const OUR_GRADIENTS = ['BatchMatMul'];

/** Registers them. Call after the package is imported; calling again does nothing. */
export function registerTensorflowKernels(): void {
  if (registered) return;
  registered = true;
  for (const kernelName of OUR_GRADIENTS) tf.unregisterGradient(kernelName);
  for (const [kernelName, exception] of Object.entries(EXCEPTIONS)) {
    const original = tf.getKernel(kernelName, BACKEND);
    if (!original) continue;
    tf.unregisterKernel(kernelName, BACKEND);
    tf.registerKernel({
      ...original,
      kernelFunc: (call) => {
        const { inputs, attrs } = call as unknown as { inputs: tf.NamedTensorMap; attrs: tf.NamedAttrMap };
        const result = tf.tidy(() => exception(inputs, attrs)!);
        if (result) return result;
        const afterwards = AFTER_FAILURE[kernelName];
        if (!afterwards) return original.kernelFunc(call);
        try {
          // One that fails leaves behind what it has made for itself.
          return tf.tidy(() => original.kernelFunc(call) as tf.Tensor);
        } catch (thrown) {
          return tf.tidy(() => afterwards(inputs, attrs)!) ?? rethrow(thrown);
        }
      },
    });
  }
}

function rethrow(thrown: unknown): never {
  throw thrown;
}
