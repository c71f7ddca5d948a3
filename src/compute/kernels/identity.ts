import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WasmBackend } from './heap.ts';
import type { KernelWrapper } from './wrapper.ts';

/**
 * Identity as another name for the same memory: tensors are never written to. The library clones whatever a gradient needs,
 * so a copy each time would cost more than many a kernel, and its check for leaks counts them.
 */
export const identity: KernelWrapper = () => (parameters) => {
  const x = parameters.inputs['x'] as TensorInfo;
  (parameters.backend as unknown as WasmBackend).incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
};
