import { util, type TensorInfo } from '@tensorflow/tfjs-core';
import { floats, integers, size, type WasmBackend } from './heap.ts';
import type { KernelWrapper } from './wrapper.ts';

/**
 * Kernels that are right only where there is something to work on: of nothing, the originals leave the result's memory as it
 * was, or divide by zero.
 */
const unlessEmpty =
  (shapeOf: (x: TensorInfo, attrs: never) => number[], dtypeOf: (x: TensorInfo) => TensorInfo['dtype']): KernelWrapper =>
  (original) =>
  (parameters) => {
    const x = parameters.inputs['x'] as TensorInfo;
    if (size(x) > 0) return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const out = wasm.makeOutput(shapeOf(x, parameters.attrs as never), dtypeOf(x));
    (out.dtype === 'float32' ? floats : integers)(wasm, out).fill(0);
    return out;
  };

const reduced = (x: TensorInfo, { axis, keepDims }: { axis: number | number[]; keepDims: boolean }): number[] => {
  const axes = util.parseAxisParam(axis, x.shape);
  return keepDims ? x.shape.map((n, i) => (axes.includes(i) ? 1 : n)) : x.shape.filter((_, i) => !axes.includes(i));
};

/** The sum of nothing is 0. */
export const sum = unlessEmpty(reduced, (x) => x.dtype);
/** The mean of nothing is 0 too, as on the cpu backend. */
export const mean = unlessEmpty(reduced, () => 'float32');
export const transpose = unlessEmpty(
  (x, { perm }: { perm: number[] }) => perm.map((from) => x.shape[from]!),
  (x) => x.dtype,
);
