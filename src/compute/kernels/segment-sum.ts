import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { floats, integers, size, type WasmBackend } from './heap.ts';

/** UnsortedSegmentSum over the first dimension: rows with a negative id are dropped. */
export const segmentSum: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const x = inputs['x'] as TensorInfo;
  const segmentIds = inputs['segmentIds'] as TensorInfo;
  const numSegments = attrs!['numSegments'] as number;
  const width = size(x) / Math.max(1, x.shape[0]!);
  const out = wasm.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  const from = x.dtype === 'int32' ? integers(wasm, x) : floats(wasm, x);
  const ids = integers(wasm, segmentIds);
  const to = floats(wasm, out).fill(0);
  if (width === 1) {
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      if (id >= 0 && id < numSegments) to[id] = to[id]! + from[i]!;
    }
    return out;
  }
  for (let i = 0, row = 0; i < ids.length; i++, row += width) {
    const id = ids[i]!;
    if (id < 0 || id >= numSegments) continue;
    for (let j = 0, at = id * width; j < width; j++, at++) to[at] = to[at]! + from[row + j]!;
  }
  return out;
};
