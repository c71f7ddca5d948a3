import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { registerWasmKernels } from '../kernels/register.ts';
import { nativeKernels } from '../native/backend.ts';
import { TESTS_OF_KERNELS } from './kernels.ts';

it('every kernel of the library that is replaced or added somewhere has tests of the library', () => {
  const native = nativeKernels();
  const ours = new Set([...registerWasmKernels(), ...native.replaced, ...native.added]);
  const upstream = Object.values(tf).filter((name) => typeof name === 'string' && ours.has(name));
  expect(upstream.length).toBeGreaterThan(20);
  expect(Object.keys(TESTS_OF_KERNELS)).toEqual(expect.arrayContaining(upstream));
});
