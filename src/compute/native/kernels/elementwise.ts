import { broadcast_util, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';
import { offset, size, type WasmBackend } from '../../kernels/heap.ts';
import type { KernelWrapper } from '../../kernels/wrapper.ts';
import { BINARY, UNARY, type NativeAddon } from '../addon.ts';

/** A function of one float32 value. */
export const unary =
  (native: NativeAddon, name: keyof typeof UNARY): KernelWrapper =>
  (original) =>
  (parameters) => {
    const x = parameters.inputs['x'] as TensorInfo;
    if (x.dtype !== 'float32') return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const out = wasm.makeOutput([...x.shape], 'float32');
    native.unary(wasm.wasm.HEAPU8, UNARY[name], size(x), offset(wasm, x), offset(wasm, out));
    return out;
  };

/** The same without an original: a kernel of our own. */
export const addedUnary = (native: NativeAddon, name: keyof typeof UNARY): KernelFunc =>
  unary(
    native,
    name,
  )(() => {
    throw new Error(`${name} takes float32`);
  });

/** dx from dy and what was saved: the result for Tanh and Sigmoid, else the input. */
export const unaryGrad =
  (native: NativeAddon, name: keyof typeof UNARY): KernelFunc =>
  ({ inputs, backend }) => {
    const { dy, saved } = inputs as { dy: TensorInfo; saved: TensorInfo };
    const wasm = backend as unknown as WasmBackend;
    const dx = wasm.makeOutput([...dy.shape], 'float32');
    native.unaryGrad(wasm.wasm.HEAPU8, UNARY[name], size(dy), offset(wasm, dy), offset(wasm, saved), offset(wasm, dx));
    return dx;
  };

/** A function of two float32 values where the broadcast is a loop over rows; other broadcasts go to the original. */
export const binary =
  (native: NativeAddon, name: keyof typeof BINARY): KernelWrapper =>
  (original) =>
  (parameters) => {
    const a = parameters.inputs['a'] as TensorInfo;
    const b = parameters.inputs['b'] as TensorInfo;
    if (a.dtype !== 'float32' || b.dtype !== 'float32') return original(parameters);
    const shape = broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
    const plan = loops(shape, a.shape, b.shape);
    if (!plan) return original(parameters);
    const wasm = parameters.backend as unknown as WasmBackend;
    const out = wasm.makeOutput(shape, 'float32');
    native.binary(wasm.wasm.HEAPU8, BINARY[name], ...plan, offset(wasm, a), offset(wasm, b), offset(wasm, out));
    return out;
  };

type Loops = [outer: number, inner: number, aOuter: number, aInner: number, bOuter: number, bInner: number];

/** The broadcast as two loops with a step for each operand along each, or undefined when it is none. */
function loops(shape: readonly number[], a: readonly number[], b: readonly number[]): Loops | undefined {
  for (let split = 0; split <= shape.length; split++) {
    const stepA = steps(shape, a, split);
    const stepB = stepA && steps(shape, b, split);
    if (stepA && stepB) {
      const outer = shape.slice(0, split).reduce((n, d) => n * d, 1);
      const inner = shape.slice(split).reduce((n, d) => n * d, 1);
      return [outer, inner, ...stepA, ...stepB];
    }
  }
  return undefined;
}

function steps(shape: readonly number[], own: readonly number[], split: number): [outer: number, inner: number] | undefined {
  const missing = shape.length - own.length;
  const length = (d: number): number => (d < missing ? 1 : own[d - missing]!);
  const part = (from: number, to: number): { size: number; repeats: boolean } | undefined => {
    let size = 1;
    let full = true;
    for (let d = from; d < to; d++) {
      size *= length(d);
      if (length(d) !== shape[d]) full = false;
    }
    if (full) return { size, repeats: false };
    for (let d = from; d < to; d++) if (length(d) !== 1) return undefined;
    return { size: 1, repeats: true };
  };
  const outer = part(0, split);
  const inner = part(split, shape.length);
  if (!outer || !inner) return undefined;
  return [outer.repeats || split === 0 ? 0 : inner.size, inner.repeats ? 0 : 1];
}
