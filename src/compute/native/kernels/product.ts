import { broadcast_util, type KernelFunc, type TensorInfo } from '@tensorflow/tfjs-core';
import { offset, size, type WasmBackend } from '../../kernels/heap.ts';
import type { KernelWrapper } from '../../kernels/wrapper.ts';
import { ACTIVATIONS, type NativeAddon } from '../addon.ts';

type ActivationName = keyof typeof ACTIVATIONS;

/** One call of the kernel; steps and places are in numbers, not bytes. */
interface Multiplication {
  batches: number;
  rows: number;
  /** From one batch to the next; 0 where all share one. */
  stepA: number;
  stepB: number;
  /** Where the operands and the result begin. Default 0. */
  placeA?: number;
  placeB?: number;
  place?: number;
}

/** BatchMatMul and _FusedMatMul: any transposition, batches that broadcast, a bias of one row, a fused activation. */
export const matMul =
  (native: NativeAddon): KernelWrapper =>
  (original) =>
  (parameters) => {
    const { inputs, attrs } = parameters;
    const a = inputs['a'] as TensorInfo;
    const b = inputs['b'] as TensorInfo;
    const bias = inputs['bias'] as TensorInfo | undefined;
    const transposeA = attrs!['transposeA'] as boolean;
    const transposeB = attrs!['transposeB'] as boolean;
    const activation = ((attrs!['activation'] as string | undefined) ?? 'linear') as ActivationName;
    const [m, k] = lastTwo(a, transposeA);
    const [inner, n] = lastTwo(b, transposeB);
    const fits =
      a.dtype === 'float32' &&
      b.dtype === 'float32' &&
      activation in ACTIVATIONS &&
      (!bias || (bias.dtype === 'float32' && size(bias) === n && bias.shape.at(-1) === n));
    if (!fits) return original(parameters);
    if (k !== inner)
      throw new RangeError(
        `matMul: inner dimensions ${k} and ${inner} differ ([${a.shape.join(', ')}] and [${b.shape.join(', ')}])`,
      );
    const wasm = parameters.backend as unknown as WasmBackend;
    const batchA = a.shape.slice(0, -2);
    const batchB = b.shape.slice(0, -2);
    const batch = broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
    const out = wasm.makeOutput([...batch, m, n], 'float32');
    const count = product(batch);
    const multiply = ({ batches, rows, stepA, stepB, placeA = 0, placeB = 0, place = 0 }: Multiplication): void =>
      native.product(
        wasm.wasm.HEAPU8,
        Number(transposeA),
        Number(transposeB),
        batches,
        stepA,
        stepB,
        rows,
        n,
        k,
        ACTIVATIONS[activation],
        Number(bias !== undefined),
        offset(wasm, a) + 4 * placeA,
        offset(wasm, b) + 4 * placeB,
        ...(bias ? [offset(wasm, bias)] : []),
        offset(wasm, out) + 4 * place,
      );
    const [countA, countB] = [product(batchA), product(batchB)];
    if (countB === 1 && countA === count && !transposeA) multiply({ batches: 1, rows: count * m, stepA: 0, stepB: 0 });
    else if ((countA === count || countA === 1) && (countB === count || countB === 1)) {
      multiply({ batches: count, rows: m, stepA: countA === 1 ? 0 : m * k, stepB: countB === 1 ? 0 : k * n });
    } else {
      const [indexA, indexB] = [batchIndex(batch, batchA), batchIndex(batch, batchB)];
      for (let i = 0; i < count; i++) {
        const places = { placeA: indexA[i]! * m * k, placeB: indexB[i]! * k * n, place: i * m * n };
        multiply({ batches: 1, rows: m, stepA: 0, stepB: 0, ...places });
      }
    }
    return out;
  };

/** Gradients of a dense layer, in one call: inputs dy, y, x, w; attrs activation, bias -> dx, dw and, with a bias, dbias. */
export const denseGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { dy, y, x, w } = inputs as Record<'dy' | 'y' | 'x' | 'w', TensorInfo>;
    const [m, k, n] = [x.shape[0]!, x.shape[1]!, w.shape[1]!];
    const activation = ACTIVATIONS[attrs!['activation'] as ActivationName];
    const hasBias = attrs!['bias'] as boolean;
    const dx = wasm.makeOutput([m, k], 'float32');
    const dw = wasm.makeOutput([k, n], 'float32');
    const outputs = hasBias ? [dx, dw, wasm.makeOutput([n], 'float32')] : [dx, dw];
    const places = [dy, y, x, w, ...outputs].map((tensor) => offset(wasm, tensor));
    native.denseGrad(wasm.wasm.HEAPU8, m, k, n, activation, 1, 1, Number(hasBias), ...places);
    return outputs;
  };

function lastTwo({ shape }: TensorInfo, transpose: boolean): [number, number] {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  return transpose ? [columns, rows] : [rows, columns];
}

/** For each batch of the result, which batch of an operand it reads. */
function batchIndex(batch: number[], own: number[]): Int32Array {
  const index = new Int32Array(product(batch));
  const missing = batch.length - own.length;
  for (let i = 0; i < index.length; i++) {
    let rest = i;
    let place = 0;
    let step = 1;
    for (let d = batch.length - 1; d >= 0; d--) {
      const at = rest % batch[d]!;
      rest = (rest - at) / batch[d]!;
      const length = d < missing ? 1 : own[d - missing]!;
      if (length > 1) place += at * step;
      step *= length;
    }
    index[i] = place;
  }
  return index;
}

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);
