import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { offset, size, type WasmBackend } from '../../kernels/heap.ts';
import type { KernelWrapper } from '../../kernels/wrapper.ts';
import type { NativeAddon } from '../addon.ts';

/** GatherV2 of whole rows; other axes and types go to the original. */
export const gather =
  (native: NativeAddon): KernelWrapper =>
  (original) =>
  (parameters) => {
    const { inputs, attrs } = parameters;
    const { x, indices } = inputs as { x: TensorInfo; indices: TensorInfo };
    const fits =
      x.dtype === 'float32' && indices.dtype === 'int32' && attrs!['axis'] === 0 && !attrs!['batchDims'] && x.shape.length > 0;
    if (!fits) return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const out = wasm.makeOutput([...indices.shape, ...x.shape.slice(1)], 'float32');
    const width = x.shape.slice(1).reduce((n, d) => n * d, 1);
    const places = [x, indices, out].map((tensor) => offset(wasm, tensor));
    try {
      native.gather(wasm.wasm.HEAPU8, size(indices), x.shape[0]!, width, ...places);
    } catch (thrown) {
      wasm.disposeData(out.dataId);
      throw thrown;
    }
    return out;
  };

/** UnsortedSegmentSum of float32 rows. */
export const segmentSum =
  (native: NativeAddon): KernelWrapper =>
  (original) =>
  (parameters) => {
    const { x, segmentIds } = parameters.inputs as { x: TensorInfo; segmentIds: TensorInfo };
    const fits = segmentIds.dtype === 'int32' && segmentIds.shape.length === 1 && segmentIds.shape[0] === x.shape[0];
    // The original also says what is wrong.
    if (x.dtype !== 'float32' || !fits) return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const segments = parameters.attrs!['numSegments'] as number;
    const out = wasm.makeOutput([segments, ...x.shape.slice(1)], 'float32');
    const width = x.shape.slice(1).reduce((n, d) => n * d, 1);
    const places = [x, segmentIds, out].map((tensor) => offset(wasm, tensor));
    native.segmentSum(wasm.wasm.HEAPU8, x.shape[0]!, segments, width, ...places);
    return out;
  };

/** Transpose of up to 6 dimensions of 4-byte values. */
export const transpose =
  (native: NativeAddon): KernelWrapper =>
  (original) =>
  (parameters) => {
    const x = parameters.inputs['x'] as TensorInfo;
    const perm = parameters.attrs!['perm'] as number[];
    const rank = x.shape.length;
    if (x.dtype !== 'float32' || rank < 2 || rank > 6 || perm.length !== rank) return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const steps = x.shape.map((_, d) => x.shape.slice(d + 1).reduce((n, length) => n * length, 1));
    const shape = perm.map((d) => x.shape[d]!);
    const out = wasm.makeOutput(shape, 'float32');
    const by = perm.map((d) => steps[d]!);
    native.permute(wasm.wasm.HEAPU8, rank, ...shape, ...by, offset(wasm, x), offset(wasm, out));
    return out;
  };

/** Concat of float32 or int32 tensors. */
export const concat =
  (native: NativeAddon): KernelWrapper =>
  (original) =>
  (parameters) => {
    const inputs = parameters.inputs as unknown as TensorInfo[];
    const first = inputs[0];
    if (!first || inputs.some((x) => x.dtype !== first.dtype) || (first.dtype !== 'float32' && first.dtype !== 'int32')) {
      return original(parameters);
    }
    const given = parameters.attrs!['axis'] as number;
    const axis = given < 0 ? given + first.shape.length : given;
    const wasm = parameters.backend as unknown as WasmBackend;
    const product = (shape: number[]): number => shape.reduce((n, d) => n * d, 1);
    const rows = product(first.shape.slice(0, axis));
    const shape = [...first.shape];
    shape[axis] = inputs.reduce((n, x) => n + x.shape[axis]!, 0);
    const same = inputs.every((x) => x.shape.length === shape.length && x.shape.every((d, i) => i === axis || d === shape[i]));
    if (!same) return original(parameters);
    const out = wasm.makeOutput(shape, first.dtype);
    const width = product(shape.slice(axis));
    let at = offset(wasm, out);
    for (const x of inputs) {
      const own = product(x.shape.slice(axis));
      if (rows > 0 && own > 0) native.copyBlocks(wasm.wasm.HEAPU8, rows, own, own, width, offset(wasm, x), at);
      at += 4 * own;
    }
    return out;
  };

/** Means of the table's rows over the tokens of each text: inputs table, tokens, starts -> [texts, width]. */
export const bag =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend }) => {
    const { table, tokens, starts } = inputs as Record<'table' | 'tokens' | 'starts', TensorInfo>;
    const wasm = backend as unknown as WasmBackend;
    const [rows, width] = table.shape as [number, number];
    const texts = starts.shape[0]! - 1;
    const out = wasm.makeOutput([texts, width], 'float32');
    const places = [starts, tokens, table, out].map((tensor) => offset(wasm, tensor));
    native.bag(wasm.wasm.HEAPU8, texts, tokens.shape[0]!, rows, width, ...places);
    return out;
  };

/** Its gradient: inputs dy, tokens, starts; attrs rows -> [rows, width]. */
export const bagGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const { dy, tokens, starts } = inputs as Record<'dy' | 'tokens' | 'starts', TensorInfo>;
    const wasm = backend as unknown as WasmBackend;
    const rows = attrs!['rows'] as number;
    const [texts, width] = dy.shape as [number, number];
    const out = wasm.makeOutput([rows, width], 'float32');
    const places = [starts, tokens, dy, out].map((tensor) => offset(wasm, tensor));
    native.bagGrad(wasm.wasm.HEAPU8, texts, tokens.shape[0]!, rows, width, ...places);
    return out;
  };
