/** Long loops over numbers outside of tensors, in the compiled kernels where they are loaded. Both ways give the same bits. */
import * as tf from '@tensorflow/tfjs-core';
import { adamW as plainAdamW, type AdamWOptions, type AdamWState } from '../algo/optim/adamw.ts';
import { offset, type WasmBackend } from './kernels/heap.ts';
import { addon, loadAddon, type NativeAddon } from './native/addon.ts';
import { NATIVE } from './native/backend.ts';

const NO_HEAP = new Uint8Array(0);

/** sums[start + i] += tensor[i]. */
export function accumulate(tensor: tf.Tensor, sums: Float64Array, start: number): void {
  const native = onNative(tensor);
  if (native) {
    native.addon.accumulate(native.heap, tensor.size, native.at, start, sums);
    return;
  }
  const values = tensor.dataSync();
  for (let i = 0; i < values.length; i++) sums[start + i]! += values[i]!;
}

/** into[start + i] = factor tensor[i]. */
export function copyScaled(tensor: tf.Tensor, factor: number, into: Float32Array, start: number): void {
  const native = onNative(tensor);
  if (native) {
    native.addon.copyScaled(native.heap, tensor.size, native.at, factor, start, into);
    return;
  }
  const values = tensor.dataSync();
  for (let i = 0; i < values.length; i++) into[start + i] = values[i]! * factor;
}

/** {@link plainAdamW}, compiled where it can be: no backend has to be set up for it. */
export function adamW(parameters: Float32Array, gradient: Float32Array, state: AdamWState, options: AdamWOptions): void {
  const native = tryAddon();
  const n = parameters.length;
  if (!native || gradient.length !== n || state.m.length !== n || state.v.length !== n) {
    plainAdamW(parameters, gradient, state, options);
    return;
  }
  const { learningRate, beta1, beta2, epsilon, weightDecay } = options;
  state.step += 1;
  const corrections = [1 - beta1 ** state.step, 1 - beta2 ** state.step];
  const numbers = [learningRate, beta1, beta2, epsilon, weightDecay, ...corrections];
  native.adamW(NO_HEAP, parameters, gradient, state.m, state.v, ...numbers);
}

function onNative(tensor: tf.Tensor): { addon: NativeAddon; heap: Uint8Array; at: number } | undefined {
  const native = addon();
  if (!native || tf.getBackend() !== NATIVE || tensor.dtype !== 'float32') return undefined;
  const wasm = tf.backend() as unknown as WasmBackend;
  return { addon: native, heap: wasm.wasm.HEAPU8, at: offset(wasm, tensor) };
}

let tried: NativeAddon | null | undefined;

function tryAddon(): NativeAddon | undefined {
  if (tried === undefined) {
    try {
      tried = loadAddon();
    } catch {
      tried = null;
    }
  }
  return tried ?? undefined;
}
