import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { integers, offset, type WasmBackend } from '../../kernels/heap.ts';
import type { NativeAddon } from '../addon.ts';

/** RaggedAttention as in ../../kernels/attention.ts. */
export const attention =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { qkv, starts } = inputs as { qkv: TensorInfo; starts: TensorInfo };
    const heads = attrs!['heads'] as number;
    const [rows, width, sequences] = [qkv.shape[0]!, qkv.shape[1]! / 3, starts.shape[0]! - 1];
    const values = heads * squares(integers(wasm, starts));
    const out = wasm.makeOutput([rows, width], 'float32');
    const probabilities = wasm.makeOutput([values], 'float32');
    const places = [qkv, out, probabilities].map((tensor) => offset(wasm, tensor));
    native.attention(wasm.wasm.HEAPU8, rows, width, heads, sequences, offset(wasm, starts), values, ...places);
    return [out, probabilities];
  };

/** RaggedAttentionGrad. */
export const attentionGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { dy, qkv, probabilities, starts } = inputs as Record<'dy' | 'qkv' | 'probabilities' | 'starts', TensorInfo>;
    const [rows, width, sequences] = [qkv.shape[0]!, qkv.shape[1]! / 3, starts.shape[0]! - 1];
    const dqkv = wasm.makeOutput([...qkv.shape], 'float32');
    const places = [dy, qkv, probabilities, dqkv].map((tensor) => offset(wasm, tensor));
    const heads = attrs!['heads'] as number;
    const values = probabilities.shape[0]!;
    native.attentionGrad(wasm.wasm.HEAPU8, rows, width, heads, sequences, offset(wasm, starts), values, ...places);
    return dqkv;
  };

/** GruScan as in ../../kernels/gru.ts; its trace has no rows unless attr `keep` says that a gradient may be wanted. */
export const gruScan =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { x, order, forwardWeight, forwardBias, backwardWeight, backwardBias } = inputs as Record<string, TensorInfo>;
    const [rows, H] = [x!.shape[0]!, x!.shape[1]! / 6];
    const states = wasm.makeOutput([rows, 2 * H], 'float32');
    const keep = attrs!['keep'] as boolean;
    const trace = wasm.makeOutput([keep ? 2 * rows : 0, 4 * H], 'float32');
    const tensors = [order!, x!, forwardWeight!, forwardBias!, backwardWeight!, backwardBias!, states];
    const places = tensors.map((tensor) => offset(wasm, tensor));
    const kept = keep ? [1, offset(wasm, trace)] : [0];
    native.gruScan(wasm.wasm.HEAPU8, rows, H, stepsOf(attrs!), ...places, ...kept);
    return [states, trace];
  };

/** GruScanGrad. */
export const gruScanGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { dy, states, trace, order, forwardWeight, backwardWeight } = inputs as Record<string, TensorInfo>;
    const [rows, H] = [states!.shape[0]!, states!.shape[1]! / 2];
    const dx = wasm.makeOutput([rows, 6 * H], 'float32');
    const both = [0, 1].flatMap(() => [wasm.makeOutput([H, 3 * H], 'float32'), wasm.makeOutput([3 * H], 'float32')]);
    const tensors = [order!, dy!, states!, trace!, forwardWeight!, backwardWeight!, dx, ...both];
    native.gruScanGrad(wasm.wasm.HEAPU8, rows, H, stepsOf(attrs!), ...tensors.map((tensor) => offset(wasm, tensor)));
    return [dx, ...both];
  };

function stepsOf(attrs: Record<string, unknown>): Int32Array {
  return Int32Array.from(attrs['steps'] as number[]);
}

function squares(start: Int32Array): number {
  let sum = 0;
  for (let s = 0; s + 1 < start.length; s++) sum += (start[s + 1]! - start[s]!) ** 2;
  return sum;
}
