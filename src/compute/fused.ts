/**
 * Differentiable operations that are one kernel each way where the backend has it, and are composed of ordinary operations
 * where it has not.
 */
import * as tf from '@tensorflow/tfjs-core';

/** What may follow a dense layer. */
export type DenseActivation = 'linear' | 'relu' | 'tanh' | 'sigmoid';

const ACTIVATIONS = { relu: tf.relu<tf.Tensor2D>, tanh: tf.tanh<tf.Tensor2D>, sigmoid: tf.sigmoid<tf.Tensor2D> };

/** Whether the current backend has a kernel. */
export function hasKernel(name: string): boolean {
  return tf.getKernel(name, tf.getBackend()) !== undefined;
}

/** Whether operations are being recorded for a gradient: without one, kernels need not keep what it would take. */
export function isRecording(): boolean {
  return tf.engine().state.gradientDepth > 0;
}

/** Runs a kernel of our own. */
export function runKernel<T>(name: string, inputs: Record<string, tf.Tensor>, attrs: Record<string, unknown> = {}): T {
  return tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as T;
}

/** Inputs `p0`, `p1`, ... of a kernel that takes a list. */
export function numbered(tensors: readonly tf.Tensor[]): Record<string, tf.Tensor> {
  return Object.fromEntries(tensors.map((tensor, index) => [`p${index}`, tensor]));
}

/** activation(x [m, k] w [k, n] + bias [n]), with the activation's and the layer's gradients in one kernel. */
export function dense(x: tf.Tensor2D, w: tf.Tensor2D, bias?: tf.Tensor1D, activation: DenseActivation = 'linear'): tf.Tensor2D {
  if (!hasKernel('DenseGrad')) {
    const y = (bias ? tf.fused.matMul({ a: x, b: w, bias }) : tf.matMul(x, w)) as tf.Tensor2D;
    return activation === 'linear' ? y : ACTIVATIONS[activation](y);
  }
  const op = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [x, w, bias] = args as tf.Tensor[];
    const attrs = { transposeA: false, transposeB: false, activation };
    const y = runKernel<tf.Tensor>('_FusedMatMul', { a: x!, b: w!, ...(bias ? { bias } : {}) }, attrs);
    save([y, x!, w!]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [y, x, w] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        return runKernel<tf.Tensor[]>('DenseGrad', { dy, y, x, w }, { activation, bias: bias !== undefined });
      },
    };
  });
  return op(...(bias ? [x, w, bias] : [x, w])) as tf.Tensor2D;
}

/** Rows of x scaled to mean 0 and deviation 1, times gain, plus bias; over the last dimension (Ba et al., arXiv 1607.06450). */
export function layerNorm<T extends tf.Tensor>(x: T, gain: tf.Tensor1D, bias: tf.Tensor1D, epsilon = 1e-5): T {
  if (!hasKernel('LayerNorm')) {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    return tf.add(tf.mul(scaled(centred, epsilon), gain), bias);
  }
  return fusedNorm('LayerNorm', x, [gain, bias], epsilon);
}

/** Rows of x divided by their root mean square, times gain; over the last dimension (Zhang and Sennrich, arXiv 1910.07467). */
export function rmsNorm<T extends tf.Tensor>(x: T, gain: tf.Tensor1D, epsilon = 1e-5): T {
  if (!hasKernel('RmsNorm')) return tf.mul(scaled(x, epsilon), gain);
  return fusedNorm('RmsNorm', x, [gain], epsilon);
}

/** x divided by the root of its mean square, with the gradient written out: the composed one takes three times the kernels. */
function scaled(x: tf.Tensor, epsilon: number): tf.Tensor {
  const op = tf.customGrad((...args) => {
    const [input, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(input), -1, true), epsilon));
    const y = tf.mul(input, scale);
    save([y, scale]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [y, scale]: tf.Tensor[]) =>
        tf.mul(scale!, tf.sub(dy, tf.mul(y!, tf.mean(tf.mul(dy, y!), -1, true)))),
    };
  });
  return op(x);
}

function fusedNorm<T extends tf.Tensor>(kernel: 'LayerNorm' | 'RmsNorm', x: T, parameters: tf.Tensor1D[], epsilon: number): T {
  const op = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [x, gain, bias] = args as tf.Tensor[];
    const inputs = { x: x!, gain: gain!, ...(bias ? { bias } : {}) };
    const [y, trace] = runKernel<tf.Tensor[]>(kernel, inputs, { epsilon });
    save([x!, gain!, trace!]);
    return {
      value: y!,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, gain, trace] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        return runKernel<tf.Tensor[]>(`${kernel}Grad`, { dy, x, gain, trace });
      },
    };
  });
  return op(x, ...parameters) as T;
}

/** x times the normal distribution function of x (Hendrycks and Gimpel, arXiv 1606.08415), not its tanh approximation. */
export function gelu<T extends tf.Tensor>(x: T): T {
  if (!hasKernel('Gelu')) return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  const op = tf.customGrad((...args) => {
    const [x, save] = args as [tf.Tensor, tf.GradSaveFunc];
    save([x]);
    return {
      value: runKernel<tf.Tensor>('Gelu', { x }),
      gradFunc: (dy: tf.Tensor, [x]: tf.Tensor[]) => runKernel<tf.Tensor>('GeluGrad', { dy, saved: x! }),
    };
  });
  return op(x) as T;
}

/** log softmax over the last dimension. */
export function logSoftmax<T extends tf.Tensor>(logits: T): T {
  if (!hasKernel('LogSoftmaxFused')) return tf.logSoftmax(logits);
  const op = tf.customGrad((...args) => {
    const [logits, save] = args as [tf.Tensor, tf.GradSaveFunc];
    const y = runKernel<tf.Tensor>('LogSoftmaxFused', { logits });
    save([y]);
    return { value: y, gradFunc: (dy: tf.Tensor, [y]: tf.Tensor[]) => runKernel<tf.Tensor>('LogSoftmaxGrad', { dy, y: y! }) };
  });
  return op(logits) as T;
}
