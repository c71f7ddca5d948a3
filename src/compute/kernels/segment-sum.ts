import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { floats, integers, size, values, type WasmBackend } from './heap.ts';

/** UnsortedSegmentSum over the first dimension: rows with an id that is no segment's are dropped. The result is float32. */
export const segmentSum: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const x = inputs['x'] as TensorInfo;
  const segmentIds = inputs['segmentIds'] as TensorInfo;
  const numSegments = attrs!['numSegments'] as number;
  if (segmentIds.shape.length !== 1 || segmentIds.shape[0] !== x.shape[0] || segmentIds.dtype !== 'int32') {
    throw new RangeError(
      `UnsortedSegmentSum: one int32 id for each of the ${x.shape[0] ?? 'missing'} rows is wanted, ` +
        `not ${segmentIds.dtype} of shape [${segmentIds.shape.join(', ')}]`,
    );
  }
  const width = size(x) / Math.max(1, x.shape[0]!);
  const out = wasm.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  const from = values(wasm, x);
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
