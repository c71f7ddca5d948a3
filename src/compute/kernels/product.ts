import { getKernel, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';

type Backend = Parameters<KernelFunc>[0]['backend'];

/**
 * The wasm backend's vectorised product for use inside a kernel: a [1, n, k] times b [1, k, m] plus an optional bias. The
 * shapes may cover less memory than the tensors have: rows at the front. `b` must never be written to after its first use:
 * the library keeps a packed copy of it until the tensor is disposed. The caller disposes the result.
 */
export function product(backend: Backend, a: TensorInfo, b: TensorInfo, bias?: TensorInfo): TensorInfo {
  return getKernel('_FusedMatMul', 'wasm').kernelFunc({
    backend,
    inputs: { a, b, bias: bias as TensorInfo, preluActivationWeights: undefined as unknown as TensorInfo },
    attrs: { transposeA: false, transposeB: false, activation: 'linear', leakyreluAlpha: 0 },
  }) as TensorInfo;
}

/** A copy with the last two dimensions swapped; the caller disposes it. */
export function transposed(backend: Backend, x: TensorInfo): TensorInfo {
  const perm = x.shape.map((_, index) => index);
  perm.push(perm.splice(-2, 1)[0]!);
  return getKernel('Transpose', 'wasm').kernelFunc({ backend, inputs: { x }, attrs: { perm } }) as TensorInfo;
}

/** The front of a tensor under another shape. */
export function reshaped(x: TensorInfo, ...shape: number[]): TensorInfo {
  return { dataId: x.dataId, shape, dtype: 'float32' };
}
