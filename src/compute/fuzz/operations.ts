import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { dense, gelu, layerNorm, logSoftmax, rmsNorm, type DenseActivation } from '../fused.ts';
import { broadcastable, hash, length, make, partOf, shapeOf, tensorOf, type TensorSpec } from './tensors.ts';

/** An operation with everything that it is given, as plain data. */
interface Operation<T> {
  name: string;
  input: fc.Arbitrary<T>;
  compute: (input: T) => tf.Tensor | tf.Tensor[];
  /** What the cpu backend does in its place, where that is wrong itself. */
  reference?: (input: T) => tf.Tensor;
}

/** What a test needs of it: the type of the input is its own affair. */
export interface AnyOperation {
  name: string;
  input: fc.Arbitrary<unknown>;
  compute: (input: unknown) => tf.Tensor[];
  reference: (input: unknown) => tf.Tensor[];
}

function operation<T>({ name, input, compute, reference = compute as never }: Operation<T>): AnyOperation {
  const run = (f: typeof compute) => (given: unknown) => [f(given as T)].flat();
  return { name, input, compute: run(compute), reference: run(reference) };
}

const UNARY = {
  neg: tf.neg,
  square: tf.square,
  exp: tf.exp,
  log: tf.log,
  sqrt: tf.sqrt,
  rsqrt: tf.rsqrt,
  tanh: tf.tanh,
  sigmoid: tf.sigmoid,
  relu: tf.relu,
  step: tf.step,
  clone: tf.clone,
  zerosLike: tf.zerosLike,
  onesLike: tf.onesLike,
} as Record<string, (x: tf.Tensor) => tf.Tensor>;

const BINARY = { add: tf.add, sub: tf.sub, mul: tf.mul, div: tf.div } as Record<
  string,
  (a: tf.Tensor, b: tf.Tensor) => tf.Tensor
>;

/** Value by value. */
const elementwise: AnyOperation[] = [
  ...Object.entries(UNARY).map(([name, f]) =>
    operation({ name, input: tensorOf(shapeOf(0, 5), ['float32'], true), compute: (x) => f(make(x)) }),
  ),
  ...['neg', 'square', 'relu', 'clone'].map((name) =>
    operation({ name: `${name} of int32`, input: tensorOf(shapeOf(0, 5), ['int32']), compute: (x) => UNARY[name]!(make(x)) }),
  ),
  operation({ name: 'clone of bool', input: tensorOf(shapeOf(0, 5), ['bool']), compute: (x) => tf.clone(make(x)) }),
  ...Object.entries(BINARY).map(([name, f]) =>
    operation({
      name,
      input: broadcastable.chain(([a, b]) =>
        fc.tuple(
          tensorOf(fc.constant(a), ['float32', 'float32', 'float32', 'int32', 'bool'], true),
          // Whole numbers divided by zero are nothing in particular.
          tensorOf(fc.constant(b), name === 'div' ? ['float32'] : ['float32', 'float32', 'float32', 'int32'], true),
        ),
      ),
      compute: ([a, b]) => f(make(a), make(b)),
    }),
  ),
];

const axes = (rank: number): fc.Arbitrary<number[]> =>
  rank === 0 ? fc.constant([]) : fc.uniqueArray(fc.integer({ min: 0, max: rank - 1 }), { maxLength: rank });

/** Along dimensions. */
const alongAxes: AnyOperation[] = [
  ...(['sum', 'mean'] as const).map((name) =>
    operation({
      name,
      input: tensorOf(shapeOf(0, 5), ['float32', 'float32', 'int32', 'bool']).chain((x) =>
        fc.record({ x: fc.constant(x), over: fc.option(axes(x.shape.length), { nil: undefined }), keep: fc.boolean() }),
      ),
      compute: ({ x, over, keep }) => tf[name](make(x), over, keep),
    }),
  ),
  ...Object.entries({ softmax: tf.softmax, logSoftmax: tf.logSoftmax, 'fused logSoftmax': logSoftmax }).map(([name, f]) =>
    operation({ name, input: tensorOf(shapeOf(1, 5)), compute: (x) => f(make(x)) }),
  ),
  operation({
    name: 'transpose',
    input: tensorOf(shapeOf(0, 6), ['float32', 'int32', 'bool']).chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.shuffledSubarray(
          x.shape.map((_, i) => i),
          { minLength: x.shape.length },
        ),
      ),
    ),
    compute: ([x, perm]) => tf.transpose(make(x), perm),
  }),
  operation({
    name: 'concat',
    input: fc
      .tuple(
        shapeOf(1, 5),
        fc.nat(4),
        fc.array(length, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('float32', 'int32', 'bool'),
      )
      .map(([shape, axis, lengths, dtype], seed = hash(axis, lengths.length)) => ({
        axis: axis % shape.length,
        parts: lengths.map((n, i): TensorSpec => ({
          shape: shape.with(axis % shape.length, n),
          dtype: dtype as TensorSpec['dtype'],
          seed: seed + i,
          special: false,
        })),
      })),
    compute: ({ parts, axis }) => tf.concat(parts.map(make), axis),
  }),
  operation({
    name: 'slice, also beyond the tensor',
    input: tensorOf(shapeOf(1, 5), ['float32', 'int32', 'bool']).chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.tuple(...x.shape.map((n) => fc.nat(n))),
        fc.tuple(...x.shape.map((n) => fc.oneof({ weight: 9, arbitrary: fc.constant(-1) }, fc.nat(n), fc.nat(n + 1)))),
      ),
    ),
    compute: ([x, begin, size]) => tf.slice(make(x), begin, size),
  }),
  operation({
    name: 'pad',
    input: tensorOf(shapeOf(1, 4), ['float32', 'int32']).chain((x) =>
      fc.tuple(fc.constant(x), fc.tuple(...x.shape.map(() => fc.tuple(fc.nat(2), fc.nat(2)))), fc.integer({ min: -2, max: 2 })),
    ),
    compute: ([x, by, value]) => tf.pad(make(x), by, value),
  }),
  operation({
    name: 'split',
    input: tensorOf(shapeOf(1, 4)).chain((x) => fc.tuple(fc.constant(x), fc.nat(x.shape.length - 1))),
    compute: ([x, axis]) => (x.shape[axis] === 0 ? tf.clone(make(x)) : tf.split(make(x), x.shape[axis]!, axis)),
  }),
  operation({
    name: 'reshape',
    input: tensorOf(shapeOf(0, 5), ['float32', 'int32', 'bool']),
    compute: (x) => tf.reshape(make(x), [tf.util.sizeFromShape(x.shape), 1]),
  }),
];

/** Products; mostly float32, since the backends under test refuse others. */
const operands = fc
  .tuple(fc.tuple(length, length, length), shapeOf(0, 2), fc.boolean(), fc.boolean())
  .chain(([[m, n, k], batch, transposeA, transposeB]) =>
    fc.tuple(partOf(batch), partOf(batch)).chain(([batchA, batchB]) =>
      fc.record({
        a: tensorOf(fc.constant([...batchA, ...(transposeA ? [k, m] : [m, k])])),
        b: tensorOf(fc.constant([...batchB, ...(transposeB ? [n, k] : [k, n])])),
        transposeA: fc.constant(transposeA),
        transposeB: fc.constant(transposeB),
        n: fc.constant(n),
      }),
    ),
  );

function swapped(x: tf.Tensor): tf.Tensor {
  const perm = x.shape.map((_, i) => i);
  return tf.transpose(x, [...perm.slice(0, -2), perm.at(-1)!, perm.at(-2)!]);
}

const products: AnyOperation[] = [
  operation({
    name: 'matMul',
    input: operands,
    compute: ({ a, b, transposeA, transposeB }) => tf.matMul(make(a), make(b), transposeA, transposeB),
    // The cpu backend knows batches that are repeated as a whole.
    reference: ({ a, b, transposeA, transposeB }) => {
      const left = transposeA ? swapped(make(a)) : make(a);
      const right = transposeB ? swapped(make(b)) : make(b);
      return tf.sum(tf.mul(tf.expandDims(left, -1), tf.expandDims(right, -3)), -2);
    },
  }),
  operation({
    name: 'fused matMul',
    input: operands.chain((given) =>
      fc.record({
        given: fc.constant(given),
        bias: fc.option(tensorOf(fc.constant([given.n])), { nil: undefined }),
        activation: fc.constantFrom('linear', 'relu', 'relu6', 'sigmoid', 'leakyrelu', 'elu'),
      }),
    ),
    compute: ({ given: { a, b, transposeA, transposeB }, bias, activation }) =>
      tf.fused.matMul({
        a: make(a),
        b: make(b),
        transposeA,
        transposeB,
        ...(bias && { bias: make(bias) }),
        activation: activation as 'linear',
      }),
  }),
  operation({
    name: 'dense layers',
    input: fc.tuple(length, length, length, fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid')).chain(([m, k, n, activation]) =>
      fc.record({
        x: tensorOf(fc.constant([m, k])),
        w: tensorOf(fc.constant([k, n])),
        bias: fc.option(tensorOf(fc.constant([n])), { nil: undefined }),
        activation: fc.constant(activation as DenseActivation),
      }),
    ),
    compute: ({ x, w, bias, activation }) =>
      dense(make(x) as tf.Tensor2D, make(w) as tf.Tensor2D, bias && (make(bias) as tf.Tensor1D), activation),
  }),
  operation({ name: 'gelu', input: tensorOf(shapeOf(0, 4)), compute: (x) => gelu(make(x)) }),
  operation({
    name: 'layer norm and RMS norm',
    // One value has no deviation, and dividing by its rounding errors proves nothing.
    input: fc
      .tuple(shapeOf(0, 3), fc.integer({ min: 2, max: 40 }))
      .chain(([shape, n]) => fc.tuple(...[[...shape, n], [n], [n]].map((own) => tensorOf(fc.constant(own))))),
    compute: ([x, gain, bias]) => [
      layerNorm(make(x!), make(gain!) as tf.Tensor1D, make(bias!) as tf.Tensor1D),
      rmsNorm(make(x!), make(gain!) as tf.Tensor1D),
    ],
  }),
];

/** By index. Now and then one is outside: gather must refuse it, and segment sums drop it. */
const byIndex: AnyOperation[] = [
  operation({
    name: 'gather, also beyond the table',
    input: tensorOf(shapeOf(1, 4), ['float32', 'float32', 'int32', 'bool']).chain((x) =>
      fc.nat(x.shape.length - 1).chain((axis) =>
        fc.record({
          x: fc.constant(x),
          axis: fc.constant(axis),
          indices: fc.array(
            fc.oneof(
              { weight: 40, arbitrary: fc.nat(Math.max(0, x.shape[axis]! - 1)) },
              { weight: 1, arbitrary: fc.constantFrom(-1, x.shape[axis]!, -(2 ** 31), 2 ** 31 - 1) },
            ),
            { maxLength: 6 },
          ),
          rows: fc.constantFrom(0, 1, 2),
        }),
      ),
    ),
    compute: ({ x, axis, indices, rows }) => {
      const index = tf.tensor1d(indices, 'int32');
      if (rows === 0 && indices.length > 0) return tf.gather(make(x), tf.squeeze(tf.slice(index, [0], [1])), axis);
      return tf.gather(make(x), rows === 2 ? tf.reshape(index, [1, indices.length]) : index, axis);
    },
  }),
  operation({
    name: 'gather by batch',
    input: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }), shapeOf(0, 2)).chain(([batch, rows, inner]) =>
      fc.record({
        x: tensorOf(fc.constant([batch, rows, ...inner])),
        indices: fc.array(fc.nat(rows - 1), { minLength: batch * 3, maxLength: batch * 3 }),
      }),
    ),
    compute: ({ x, indices }) => tf.gather(make(x), tf.tensor2d(indices, [x.shape[0]!, 3], 'int32'), 1, 1),
  }),
  operation({
    name: 'segment sums, also of ids that are no segment',
    input: tensorOf(shapeOf(1, 4), ['float32', 'float32', 'int32', 'bool']).chain((x) =>
      fc.integer({ min: 1, max: 7 }).chain((segments) =>
        fc.record({
          x: fc.constant(x),
          segments: fc.constant(segments),
          ids: fc.array(fc.integer({ min: -2, max: segments + 1 }), { minLength: x.shape[0]!, maxLength: x.shape[0]! }),
        }),
      ),
    ),
    compute: ({ x, ids, segments }) => tf.unsortedSegmentSum(make(x), tf.tensor1d(ids, 'int32'), segments),
  }),
];

/** Every operation whose kernels are replaced or added somewhere, and the fused ones. */
export const OPERATIONS: readonly AnyOperation[] = [...elementwise, ...alongAxes, ...products, ...byIndex];
