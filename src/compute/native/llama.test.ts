import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCompute } from '../backend.ts';
import { compileLlama, type CompiledLlama, type LlamaPart } from './llama.ts';

const sizes = { layers: 1, width: 4, heads: 2, kvHeads: 1, headSize: 2, feedForward: 6, vocabulary: 5 };

describe('the compiled pass of a language model', () => {
  let llama: CompiledLlama | undefined;
  const made: tf.Tensor[] = [];
  beforeAll(async () => {
    await initCompute();
    const ones = (...shape: number[]): tf.Tensor => {
      const count = shape.reduce((a, b) => a * b);
      const tensor = tf.keep(tf.tidy(() => tf.reshape(tf.mul(tf.range(1, count + 1), 0.01), shape)));
      made.push(tensor);
      return tensor;
    };
    const products = [ones(4, 4), ones(2, 4), ones(2, 4)];
    const embedding = ones(5, 4);
    const none = undefined;
    llama = compileLlama({
      sizes: { ...sizes, qkvBias: false, oBias: false, headNorms: false },
      ...{ epsilon: 1e-5, frequencies: Float64Array.of(1), embedding },
      tensors: [
        ...[ones(4), ...products, none, none, none, ones(4, 4), none, none, none],
        ...[ones(4), ones(6, 4), ones(6, 4), ones(4, 6), ones(4), embedding],
      ],
    });
  });
  afterAll(() => tf.dispose(made));

  const part = (change: Partial<LlamaPart>): LlamaPart[] => [
    { tokens: [1, 2], start: 0, pages: [new Float32Array(llama!.pageSize)], adapter: undefined, wanted: 1, ...change },
  ];

  it('is there where the backend is native', () => {
    expect(llama !== undefined || tf.getBackend() !== 'native').toBe(true);
  });

  it('gives a row of logits for each token that is wanted', ({ skip }) => {
    if (!llama) return skip();
    const both = llama.run(part({ wanted: 2 }));
    expect(both).toHaveLength(10);
    expect(both.every(Number.isFinite)).toBe(true);
    expectNear(llama.run(part({})), both.slice(5));
    const page = new Float32Array(llama.pageSize);
    llama.run(part({ tokens: [1], pages: [page], wanted: 0 }));
    expectNear(llama.run(part({ tokens: [2], start: 1, pages: [page] })), both.slice(5));
  });

  it.each<[string, Partial<LlamaPart>]>([
    ['a token that the model has not', { tokens: [5] }],
    ['too few pages', { start: 15 }],
    ['a page that is too short', { pages: [new Float32Array(3)] }],
    ['a part that makes no sense', { tokens: [] }],
    ['a part that makes no sense', { wanted: 3 }],
    ['an adapter that is too short', { adapter: { rank: 2, targets: 1, numbers: new Float32Array(1) } }],
  ])('refuses %s: %j', (problem, change) => {
    if (llama) expect(() => llama!.run(part(change))).toThrow(new RegExp(`argument \\d+ has ${problem}`));
  });
});

function expectNear(found: Float32Array, expected: Float32Array): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
}
