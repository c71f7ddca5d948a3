import { type KernelConfig, type KernelFunc, getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import { raggedAttention, raggedAttentionGrad } from './attention.ts';
import { checked } from './contracts.ts';
import { mean, sum, transpose } from './empty.ts';
import { gather } from './gather.ts';
import { gruScan, gruScanGrad } from './gru.ts';
import { identity } from './identity.ts';
import { batchMatMul, fusedMatMul } from './matmul.ts';
import { segmentSum } from './segment-sum.ts';
import { slice } from './slice.ts';
import { tanh } from './tanh.ts';
import type { KernelWrapper } from './wrapper.ts';

/** Kernels the wasm backend lacks, and fused ones of our own that networks use where they are registered. */
const ADDED: Record<string, KernelFunc> = {
  UnsortedSegmentSum: segmentSum,
  GruScan: gruScan,
  GruScanGrad: gruScanGrad,
  RaggedAttention: raggedAttention,
  RaggedAttentionGrad: raggedAttentionGrad,
};

/** Kernels it has, but slow or unsafe; they fall back to the original where they do not apply. */
const REPLACED: Record<string, KernelWrapper> = {
  BatchMatMul: batchMatMul,
  _FusedMatMul: fusedMatMul,
  GatherV2: gather,
  Identity: identity,
  Mean: mean,
  Slice: slice,
  Sum: sum,
  Tanh: tanh,
  Transpose: transpose,
};

let registered = false;

/** Completes the wasm backend. Call after its package is imported; calling again does nothing. Returns the kernels' names. */
export function registerWasmKernels(): string[] {
  const names = [...Object.keys(ADDED), ...Object.keys(REPLACED)];
  if (registered) return names;
  registered = true;
  for (const [kernelName, kernelFunc] of Object.entries(ADDED)) {
    if (!getKernel(kernelName, 'wasm')) {
      registerKernel({ kernelName, backendName: 'wasm', kernelFunc: checked(kernelName, kernelFunc) });
    }
  }
  replaceKernels('wasm', REPLACED);
  return names;
}

/** Puts wrappers around kernels of a backend; those it does not have are left out. */
export function replaceKernels(backendName: string, wrappers: Record<string, KernelWrapper>): void {
  for (const [kernelName, wrap] of Object.entries(wrappers)) {
    const original: KernelConfig | undefined = getKernel(kernelName, backendName);
    if (!original) continue;
    unregisterKernel(kernelName, backendName);
    registerKernel({ ...original, kernelFunc: checked(kernelName, wrap(original.kernelFunc)) });
  }
}
