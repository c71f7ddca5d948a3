import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';

/** The parts of the wasm backend that kernels written here use. */
export interface WasmBackend {
  wasm: { HEAPU8: Uint8Array };
  dataIdMap: { get(dataId: object): { memoryOffset: number } };
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  incRef(dataId: object): void;
  disposeData(dataId: object): void;
}

/** Where a tensor's values start in the heap, in bytes. */
export function offset(backend: WasmBackend, tensor: TensorInfo): number {
  return backend.dataIdMap.get(tensor.dataId).memoryOffset >>> 0;
}

/**
 * A tensor's values in place. Taking memory may grow the heap and detach views: make all outputs first, then take views.
 */
export function floats(backend: WasmBackend, tensor: TensorInfo): Float32Array {
  return new Float32Array(backend.wasm.HEAPU8.buffer, offset(backend, tensor), size(tensor));
}

/** Like {@link floats} for int32 tensors. */
export function integers(backend: WasmBackend, tensor: TensorInfo): Int32Array {
  return new Int32Array(backend.wasm.HEAPU8.buffer, offset(backend, tensor), size(tensor));
}

/** Like {@link floats} for any type: bool takes a byte a value, the others four. */
export function values(backend: WasmBackend, tensor: TensorInfo): Float32Array | Int32Array | Uint8Array {
  if (tensor.dtype === 'float32') return floats(backend, tensor);
  if (tensor.dtype === 'int32') return integers(backend, tensor);
  const start = offset(backend, tensor);
  return backend.wasm.HEAPU8.subarray(start, start + size(tensor));
}

/** Number of values. */
export function size(tensor: TensorInfo): number {
  let product = 1;
  for (const dimension of tensor.shape) product *= dimension;
  return product;
}
