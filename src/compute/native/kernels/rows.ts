import { util, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';
import { offset, size, type WasmBackend } from '../../kernels/heap.ts';
import type { KernelWrapper } from '../../kernels/wrapper.ts';
import type { NativeAddon } from '../addon.ts';

/** Sum or Mean over the last axes, or over the first ones; other axes and types go to the original. */
export const reduction =
  (native: NativeAddon, kind: 'Sum' | 'Mean'): KernelWrapper =>
  (original) =>
  (parameters) => {
    const x = parameters.inputs['x'] as TensorInfo;
    const { axis, keepDims } = parameters.attrs as { axis: number | number[]; keepDims: boolean };
    const rank = x.shape.length;
    const axes = util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
    const last = axes.every((a, i) => a === rank - axes.length + i);
    const first = axes.every((a, i) => a === i);
    if (x.dtype !== 'float32' || !(last || first)) return original(parameters);
    const total = axes.reduce((n, a) => n * x.shape[a]!, 1);
    const kept = size(x) === 0 ? x.shape.reduce((n, d, i) => (axes.includes(i) ? n : n * d), 1) : size(x) / total;
    const wasm = parameters.backend as unknown as WasmBackend;
    const shape = keepDims ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) : x.shape.filter((_, i) => !axes.includes(i));
    const out = wasm.makeOutput(shape, 'float32');
    const scale = kind === 'Mean' && total > 0 ? 1 / total : 1;
    const [rows, columns] = last ? [kept, total] : [total, kept];
    const sum = last ? native.sumRows : native.sumColumns;
    sum(wasm.wasm.HEAPU8, rows, columns, scale, offset(wasm, x), offset(wasm, out));
    return out;
  };

/** Softmax or log-softmax over the last dimension. */
export const softmax =
  (native: NativeAddon, logarithm: boolean): KernelFunc =>
  ({ inputs, backend }) => {
    const x = inputs['logits'] as TensorInfo;
    const wasm = backend as unknown as WasmBackend;
    const out = wasm.makeOutput([...x.shape], 'float32');
    native.softmax(wasm.wasm.HEAPU8, ...matrix(x), Number(logarithm), offset(wasm, x), offset(wasm, out));
    return out;
  };

/** Its gradient: inputs dy and y, the result. */
export const softmaxGrad =
  (native: NativeAddon, logarithm: boolean): KernelFunc =>
  ({ inputs, backend }) => {
    const { dy, y } = inputs as { dy: TensorInfo; y: TensorInfo };
    const wasm = backend as unknown as WasmBackend;
    const dx = wasm.makeOutput([...y.shape], 'float32');
    native.softmaxGrad(wasm.wasm.HEAPU8, ...matrix(y), Number(logarithm), offset(wasm, dy), offset(wasm, y), offset(wasm, dx));
    return dx;
  };

/**
 * LayerNorm (centred, with a bias) or RmsNorm over the last dimension: inputs x, gain, bias; attrs epsilon
 * -> y, trace [rows, 2].
 */
export const norm =
  (native: NativeAddon, centred: boolean): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const { x, gain, bias } = inputs as { x: TensorInfo; gain: TensorInfo; bias?: TensorInfo };
    const wasm = backend as unknown as WasmBackend;
    const [rows, columns] = matrix(x);
    const y = wasm.makeOutput([...x.shape], 'float32');
    const trace = wasm.makeOutput([rows, 2], 'float32');
    const places = [x, gain, ...(centred ? [bias!] : []), y, trace].map((tensor) => offset(wasm, tensor));
    native.layerNorm(wasm.wasm.HEAPU8, rows, columns, attrs!['epsilon'] as number, Number(centred), Number(centred), ...places);
    return [y, trace];
  };

/** Its gradients: inputs dy, x, gain, trace -> dx, dgain and, when centred, dbias. */
export const normGrad =
  (native: NativeAddon, centred: boolean): KernelFunc =>
  ({ inputs, backend }) => {
    const { dy, x, gain, trace } = inputs as Record<'dy' | 'x' | 'gain' | 'trace', TensorInfo>;
    const wasm = backend as unknown as WasmBackend;
    const [rows, columns] = matrix(x);
    const outputs = [wasm.makeOutput([...x.shape], 'float32'), wasm.makeOutput([columns], 'float32')];
    if (centred) outputs.push(wasm.makeOutput([columns], 'float32'));
    const places = [dy, x, gain, trace, ...outputs].map((tensor) => offset(wasm, tensor));
    native.layerNormGrad(wasm.wasm.HEAPU8, rows, columns, Number(centred), Number(centred), ...places);
    return outputs;
  };

function matrix(x: TensorInfo): [rows: number, columns: number] {
  const columns = x.shape.at(-1) ?? 1;
  return [columns === 0 ? 0 : size(x) / columns, columns];
}
