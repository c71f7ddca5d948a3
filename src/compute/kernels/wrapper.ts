import type { KernelFunc } from '@tensorflow/tfjs-core';

/** What a replacement gets from the kernel it replaces. */
export type KernelWrapper = (original: KernelFunc) => KernelFunc;
