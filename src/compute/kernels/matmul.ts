import { broadcast_util, getKernel, type KernelFunc, type NamedAttrMap, type TensorInfo } from '@tensorflow/tfjs-core';
import { floats, size, type WasmBackend } from './heap.ts';
import { transposed } from './product.ts';
import type { KernelWrapper } from './wrapper.ts';

type Backend = Parameters<KernelFunc>[0]['backend'];

/** Kernels of the activations that a fused product may end with. */
const ACTIVATIONS: Record<string, string> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
  leakyrelu: 'LeakyRelu',
  prelu: 'Prelu',
};

/**
 * BatchMatMul around the original, which multiplies transposed operands 20 times slower than transposing them first costs,
 * leaves memory as it was where there is nothing to add up, and mixes up batches that broadcast in both directions.
 */
export const batchMatMul: KernelWrapper = (original) => (parameters) => {
  const { inputs, backend, attrs } = parameters;
  const a = inputs['a'] as TensorInfo;
  const b = inputs['b'] as TensorInfo;
  const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
  const [m, k] = lastTwo(a, transposeA);
  const [inner, n] = lastTwo(b, transposeB);
  // The original says what is wrong.
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || k !== inner) return original(parameters);
  const wasm = backend as unknown as WasmBackend;
  const batch = broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...batch, m, n];
  if (k === 0 || product(shape) === 0) return zeros(wasm, shape);

  const temporary: TensorInfo[] = [];
  const keep = (tensor: TensorInfo): TensorInfo => (temporary.push(tensor), tensor);
  let left = transposeA ? keep(transposed(backend, a)) : a;
  let right = transposeB ? keep(transposed(backend, b)) : b;
  if (product(batch) > 1) {
    if (product(b.shape.slice(0, -2)) === 1) {
      // One product: the rows of all batches are the rows of one matrix.
      left = { ...left, shape: [1, size(left) / k, k] };
      right = { ...right, shape: [1, k, n] };
    } else {
      if (!repeats(a, batch)) left = keep(tiled(backend, left, batch));
      if (!repeats(b, batch)) right = keep(tiled(backend, right, batch));
    }
  }
  const plain = { ...attrs, transposeA: false, transposeB: false } as NamedAttrMap;
  const out = original({ backend, inputs: { ...inputs, a: left, b: right }, attrs: plain }) as TensorInfo;
  for (const tensor of temporary) wasm.disposeData(tensor.dataId);
  return { ...out, shape: sharesB(b, batch) ? shape : out.shape };
};

/**
 * _FusedMatMul likewise. With several batches the original adds the bias wrongly, and it takes a vector only; there bias and
 * activation are kernels of their own.
 */
export const fusedMatMul: KernelWrapper = (original) => {
  const multiply = batchMatMul(original);
  return (parameters) => {
    const { inputs, backend, attrs } = parameters;
    const { a, b, bias, preluActivationWeights } = inputs as Record<string, TensorInfo>;
    const { transposeA, transposeB, activation, leakyreluAlpha } = attrs as Record<string, unknown>;
    const empty = lastTwo(a!, transposeA as boolean)[1] === 0;
    const batch = broadcast_util.assertAndGetBroadcastShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    const separate = empty || (bias && bias.shape.length !== 1) || (product(batch) > 1 && !sharesB(b!, batch));
    const kernel = ACTIVATIONS[activation as string];
    if (!separate || (activation !== 'linear' && !kernel)) return multiply(parameters);

    const wasm = backend as unknown as WasmBackend;
    const run = (name: string, given: Record<string, TensorInfo>, options: object = {}): TensorInfo =>
      getKernel(name, 'wasm').kernelFunc({ inputs: given, backend, attrs: options as NamedAttrMap }) as TensorInfo;
    let out = run('BatchMatMul', { a: a!, b: b! }, { transposeA, transposeB });
    const then = (name: string, given: Record<string, TensorInfo>, options?: object): void => {
      const next = run(name, given, options);
      wasm.disposeData(out.dataId);
      out = next;
    };
    if (bias) then('Add', { a: out, b: bias });
    if (kernel === 'Prelu') then(kernel, { x: out, alpha: preluActivationWeights! });
    else if (kernel) then(kernel, { x: out }, { alpha: leakyreluAlpha });
    return out;
  };
};

function lastTwo({ shape }: TensorInfo, transpose: boolean): [rows: number, columns: number] {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  return transpose ? [columns, rows] : [rows, columns];
}

const product = (shape: readonly number[]): number => shape.reduce((total, length) => total * length, 1);

/** Whether all batches multiply with the same matrix. */
const sharesB = (b: TensorInfo, batch: readonly number[]): boolean => product(batch) > 1 && product(b.shape.slice(0, -2)) === 1;

/** Whether an operand's batches, over and over, are the batches of the result; the original expects no less. */
function repeats({ shape }: TensorInfo, batch: readonly number[]): boolean {
  const own = shape.slice(0, -2);
  const from = own.findIndex((length) => length !== 1);
  return from < 0 || own.slice(from).every((length, i) => length === batch.slice(from - own.length)[i]);
}

/** A copy of an operand for every batch. */
function tiled(backend: Backend, x: TensorInfo, batch: readonly number[]): TensorInfo {
  const shape = [...new Array<number>(batch.length + 2 - x.shape.length).fill(1), ...x.shape];
  const reps = shape.map((length, i) => (i < batch.length ? batch[i]! / length : 1));
  const parameters = { inputs: { x: { ...x, shape } }, backend, attrs: { reps } };
  return getKernel('Tile', 'wasm').kernelFunc(parameters) as TensorInfo;
}

function zeros(wasm: WasmBackend, shape: number[]): TensorInfo {
  const out = wasm.makeOutput(shape, 'float32');
  floats(wasm, out).fill(0);
  return out;
}
