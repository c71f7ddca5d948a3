import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { integers, offset, type WasmBackend } from '../../kernels/heap.ts';
import type { NativeAddon } from '../addon.ts';

/** Parameters of a layer, in their order. */
const PARAMETERS = 12;

/**
 * A stack of pre-norm transformer layers: inputs x [rows, width], starts, and the layers' parameters `p0`, `p1`, ... (gain,
 * bias, qkv and its bias, out and its bias, gain, bias, feed1 and its bias, feed2 and its bias, layer after layer);
 * attrs heads, inner, keep -> y [rows, width], trace, which has no values unless `keep` says that a gradient may be wanted.
 */
export const transformer =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { x, starts } = inputs as { x: TensorInfo; starts: TensorInfo };
    const parameters = parametersOf(inputs as Record<string, TensorInfo>);
    const { rows, width, inner, layers, heads, head } = shape(wasm, { x, starts, parameters }, attrs as unknown as Attrs);
    const keep = attrs!['keep'] as boolean;
    const size = keep ? layers * (rows * (6 * width + inner + 4) + heads * squares(integers(wasm, starts))) : 0;
    const y = wasm.makeOutput([rows, width], 'float32');
    const trace = wasm.makeOutput([size], 'float32');
    const [from, to, kept] = [x, y, trace].map((tensor) => offset(wasm, tensor)) as [number, number, number];
    native.transformer(wasm.wasm.HEAPU8, ...head, from, offsets(wasm, parameters), to, size, kept);
    return [y, trace];
  };

/** Its gradients: inputs dy, x, trace, starts and the parameters -> dx and a gradient for each parameter. */
export const transformerGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { dy, x, trace, starts } = inputs as Record<'dy' | 'x' | 'trace' | 'starts', TensorInfo>;
    const parameters = parametersOf(inputs as Record<string, TensorInfo>);
    const { head } = shape(wasm, { x: dy, starts, parameters }, attrs as unknown as Attrs);
    const dx = wasm.makeOutput([...dy.shape], 'float32');
    const gradients = parameters.map((parameter) => wasm.makeOutput([...parameter.shape], 'float32'));
    const [flow, from, kept, out] = [dy, x, trace, dx].map((tensor) => offset(wasm, tensor)) as [number, number, number, number];
    const [own, theirs] = [offsets(wasm, parameters), offsets(wasm, gradients)];
    native.transformerGrad(wasm.wasm.HEAPU8, ...head, flow, from, own, trace.shape[0]!, kept, out, theirs);
    return [dx, ...gradients];
  };

function squares(start: Int32Array): number {
  let sum = 0;
  for (let s = 0; s + 1 < start.length; s++) sum += (start[s + 1]! - start[s]!) ** 2;
  return sum;
}

interface Attrs {
  heads: number;
  inner: number;
}

interface Operands {
  x: TensorInfo;
  starts: TensorInfo;
  parameters: TensorInfo[];
}

function shape(wasm: WasmBackend, { x, starts, parameters }: Operands, { heads, inner }: Attrs) {
  const [rows, width] = x.shape as [number, number];
  const layers = parameters.length / PARAMETERS;
  const sequences = starts.shape[0]! - 1;
  return { rows, width, inner, layers, heads, head: [rows, width, inner, layers, sequences, heads, offset(wasm, starts)] };
}

function parametersOf(inputs: Record<string, TensorInfo>): TensorInfo[] {
  const parameters: TensorInfo[] = [];
  for (let parameter = inputs['p0']; parameter; parameter = inputs[`p${parameters.length}`]) parameters.push(parameter);
  return parameters;
}

const offsets = (wasm: WasmBackend, tensors: TensorInfo[]): Float64Array =>
  Float64Array.from(tensors, (tensor) => offset(wasm, tensor));
