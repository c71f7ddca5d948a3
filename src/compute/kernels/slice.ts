import { slice_util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { KernelWrapper } from './wrapper.ts';

/** Slice with the check that other backends make: beyond the tensor, the original reads whatever is in memory there. */
export const slice: KernelWrapper = (original) => (parameters) => {
  const x = parameters.inputs['x'] as TensorInfo;
  const { begin, size } = parameters.attrs as { begin: number | number[]; size: number | number[] };
  const parsed = slice_util.parseSliceParams(x as never, begin, size) as [number[], number[]];
  slice_util.assertParamsValid(x as never, ...parsed);
  return original(parameters);
};
