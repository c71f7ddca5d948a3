/**
 * Gradients of the kernels that policies use.
 *
 * tfjs-core's CommonJS build, the one Node loads, registers none: they live in the union package, with layers, converters
 * and browser backends around them. These are written for few kernels per gradient: no broadcast bookkeeping where shapes
 * agree. A gradient that is registered already (tfjs-node brings all of them) is left alone.
 */
import * as tf from '@tensorflow/tfjs-core';
import { gatherGradient } from './gather-gradient.ts';
import { hasKernel, runKernel } from './fused.ts';

type Gradient = Omit<tf.GradConfig, 'kernelName'>;

const GRADIENTS: Record<string, Gradient> = {
  Identity: { gradFunc: (dy) => ({ x: () => unbroadcast(one(dy), one(dy).shape) }) },
  Reshape: { inputsToSave: ['x'], gradFunc: (dy, [x]) => ({ x: () => tf.reshape(one(dy), x!.shape) }) },
  Add: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({ a: () => unbroadcast(one(dy), a!.shape), b: () => unbroadcast(one(dy), b!.shape) }),
  },
  Sub: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(one(dy), a!.shape),
      b: () => unbroadcast(tf.neg(one(dy)), b!.shape),
    }),
  },
  Multiply: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf.mul(one(dy), b!), a!.shape),
      b: () => unbroadcast(tf.mul(one(dy), a!), b!.shape),
    }),
  },
  RealDiv: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({
      a: () => unbroadcast(tf.div(one(dy), b!), a!.shape),
      b: () => unbroadcast(tf.neg(tf.div(tf.mul(one(dy), a!), tf.square(b!))), b!.shape),
    }),
  },
  Neg: { gradFunc: (dy) => ({ x: () => tf.neg(one(dy)) }) },
  Square: { inputsToSave: ['x'], gradFunc: (dy, [x]) => ({ x: () => tf.mul(one(dy), tf.mul(x!, 2)) }) },
  Exp: { outputsToSave: [true], gradFunc: (dy, [y]) => ({ x: () => tf.mul(one(dy), y!) }) },
  // 2 / sqrt(pi) exp(-x^2)
  Erf: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({ x: () => tf.mul(tf.mul(one(dy), 2 / Math.sqrt(Math.PI)), tf.exp(tf.neg(tf.square(x!)))) }),
  },
  Log: { inputsToSave: ['x'], gradFunc: (dy, [x]) => ({ x: () => tf.div(one(dy), x!) }) },
  Tanh: {
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({
      x: () =>
        hasKernel('TanhGrad')
          ? runKernel('TanhGrad', { dy: one(dy), saved: y! })
          : tf.sub(one(dy), tf.mul(one(dy), tf.square(y!))),
    }),
  },
  Sigmoid: {
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({
      x: () =>
        hasKernel('SigmoidGrad')
          ? runKernel('SigmoidGrad', { dy: one(dy), saved: y! })
          : tf.mul(one(dy), tf.sub(y!, tf.square(y!))),
    }),
  },
  Relu: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({
      x: () => (hasKernel('ReluGrad') ? runKernel('ReluGrad', { dy: one(dy), saved: x! }) : tf.mul(one(dy), tf.step(x!))),
    }),
  },
  Sum: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({ x: () => spread(one(dy), x!, attrs, 1) }),
  },
  Mean: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => {
        const reduced = tf.util.parseAxisParam(attrs['axis'] as number | number[], x!.shape);
        return spread(one(dy), x!, attrs, 1 / reduced.reduce((total, axis) => total * x!.shape[axis]!, 1));
      },
    }),
  },
  Softmax: {
    outputsToSave: [true],
    gradFunc: (dy, [y], attrs) => ({
      logits: () => {
        if (hasKernel('SoftmaxGrad')) return runKernel('SoftmaxGrad', { dy: one(dy), y: y! });
        const weighted = tf.mul(one(dy), y!);
        return tf.sub(weighted, tf.mul(tf.sum(weighted, attrs['dim'] as number, true), y!));
      },
    }),
  },
  BatchMatMul: {
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b], attrs) => matMulGradient(one(dy), { a: a!, b: b! }, attrs as unknown as Transposed),
  },
  Transpose: {
    gradFunc: (dy, _saved, attrs) => ({
      x: () => {
        const inverse: number[] = [];
        (attrs['perm'] as number[]).forEach((from, to) => (inverse[from] = to));
        return tf.transpose(one(dy), inverse);
      },
    }),
  },
  Slice: {
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => ({
      x: () => {
        const begin = attrs['begin'] as number[];
        const padding = x!.shape.map((dimension, index): [number, number] => {
          const before = begin[index] ?? 0;
          return [before, dimension - before - one(dy).shape[index]!];
        });
        return tf.pad(one(dy), padding);
      },
    }),
  },
  Concat: {
    saveAllInputs: true,
    gradFunc: (dy, inputs, attrs) => {
      const axis = tf.util.parseAxisParam(attrs['axis'] as number, inputs[0]!.shape)[0]!;
      let start = 0;
      return Object.fromEntries(
        inputs.map((input, index) => {
          const begin = input.shape.map((_, dimension) => (dimension === axis ? start : 0));
          start += input.shape[axis]!;
          return [String(index), () => tf.slice(one(dy), begin, input.shape)];
        }),
      );
    },
  },
  SplitV: { gradFunc: (dy, _saved, attrs) => ({ x: () => tf.concat(dy as tf.Tensor[], attrs['axis'] as number) }) },
  GatherV2: {
    inputsToSave: ['x', 'indices'],
    gradFunc: (dy, [x, indices], attrs) => ({
      x: () => gatherGradient(one(dy), x!, indices!, attrs),
      indices: () => tf.zerosLike(indices!),
    }),
  },
};

/** Registers what is missing. */
export function registerGradients(): void {
  for (const [kernelName, gradient] of Object.entries(GRADIENTS)) {
    if (!tf.getGradient(kernelName)) tf.registerGradient({ kernelName, ...gradient });
  }
}

function one(dy: tf.Tensor | tf.Tensor[]): tf.Tensor {
  return dy as tf.Tensor;
}

/**
 * Sums out what broadcasting repeated. Always a tensor of its own, if over the same memory: the library disposes what it was
 * given once it has added something to it, and dy may flow to others too.
 */
function unbroadcast(dy: tf.Tensor, shape: number[]): tf.Tensor {
  if (tf.util.arraysEqual(dy.shape, shape)) return tf.reshape(dy, shape);
  const axes = tf.broadcast_util.getReductionAxes(shape, dy.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, shape);
}

/** Which operands of a product are transposed. */
interface Transposed {
  transposeA: boolean;
  transposeB: boolean;
}

function matMulGradient(
  dy: tf.Tensor,
  { a, b }: { a: tf.Tensor; b: tf.Tensor },
  { transposeA, transposeB }: Transposed,
): ReturnType<Gradient['gradFunc']> {
  const [forA, forB] = [
    (): tf.Tensor => (transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB)),
    (): tf.Tensor => (transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false)),
  ];
  const sized = (gradient: tf.Tensor, { shape }: tf.Tensor): tf.Tensor =>
    tf.util.arraysEqual(gradient.shape, shape) ? gradient : unbroadcast(gradient, shape);
  return { a: () => sized(forA(), a), b: () => sized(forB(), b) };
}

/** What flowed into a sum, back over everything that was summed, times a factor. */
function spread(dy: tf.Tensor, x: tf.Tensor, attrs: tf.NamedAttrMap, factor: number): tf.Tensor {
  const axes = tf.util.parseAxisParam(attrs['axis'] as number | number[], x.shape);
  const kept = x.shape.map((dimension, index) => (axes.includes(index) ? 1 : dimension));
  return tf.mul(tf.reshape(dy, kept), tf.fill(x.shape, factor));
}
