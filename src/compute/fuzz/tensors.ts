import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';

/** A tensor to make: equal specifications give equal tensors on every backend. */
export interface TensorSpec {
  shape: number[];
  dtype: 'float32' | 'int32' | 'bool';
  seed: number;
  /** Now and then a value that is not an ordinary number. */
  special: boolean;
}

const SPECIAL = [0, -0, NaN, Infinity, -Infinity, 1e-30, -1e-30, 1e30, 88, -88, 3e38, -104];

/** Makes it on the current backend. Values of float32 are in (-3, 3), of int32 from -9 to 9. */
export function make({ shape, dtype, seed, special }: TensorSpec): tf.Tensor {
  const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => {
    const noise = hash(seed, i);
    if (dtype === 'bool') return noise & 1;
    if (dtype === 'int32') return (noise % 19) - 9;
    if (special && noise % 5 === 0) return SPECIAL[(noise >>> 8) % SPECIAL.length]!;
    return ((noise % 60_001) - 30_000) / 1e4;
  });
  return tf.tensor(values, shape, dtype);
}

/** A fixed scrambling of two numbers to 32 bits. */
export function hash(a: number, b: number): number {
  let x = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(b + 1, 0xc2b2ae35);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return (x ^ (x >>> 15)) >>> 0;
}

/** Mostly small, now and then nothing, or more than a vector register holds. */
export const length = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 5 }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 6, max: 37 }) },
);

/** A shape of between `from` and `to` dimensions, of at most 4096 values. */
export const shapeOf = (from: number, to: number): fc.Arbitrary<number[]> =>
  fc.array(length, { minLength: from, maxLength: to }).map((shape) => {
    let size = 1;
    return shape.map((n) => (size * n > 4096 ? 1 : ((size *= n || 1), n)));
  });

const seed = fc.integer({ min: 0, max: 1000 });

/** Some tensor of a shape. */
export function tensorOf(
  shape: fc.Arbitrary<number[]>,
  dtypes: TensorSpec['dtype'][] = ['float32'],
  special = false,
): fc.Arbitrary<TensorSpec> {
  return fc.record({ shape, dtype: fc.constantFrom(...dtypes), seed, special: fc.constant(special) });
}

/** Two shapes that broadcast together. */
export const broadcastable: fc.Arbitrary<[number[], number[]]> = shapeOf(0, 5).chain((shape) =>
  fc.tuple(partOf(shape), partOf(shape)),
);

/** A shape that broadcasts to another: some lengths are 1, some leading dimensions missing. */
export function partOf(shape: readonly number[]): fc.Arbitrary<number[]> {
  return fc
    .tuple(fc.nat(shape.length * 2), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }))
    .map(([drop, ones]) =>
      shape.map((n, i) => (ones[i] ? 1 : n)).slice(drop <= shape.length ? 0 : Math.min(drop - shape.length, shape.length)),
    );
}
