import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { offset, type WasmBackend } from '../../kernels/heap.ts';
import type { NativeAddon } from '../addon.ts';

/** What PlannerHead works on besides tensors; counts and arrays are those of src/policy/planner/flatten.ts. */
export interface PlannerHeadAttrs {
  hidden: number;
  tools: number;
  features: { state: number; item: number; action: number };
  /** Number of tools of each arity. */
  toolsByArity: readonly [number, number, number];
  flat: {
    observations: number;
    items: number;
    rowCount: number;
    tuples: readonly { count: number; observation: Int32Array; args: readonly Int32Array[] }[];
    observationText: Int32Array;
    itemText: Int32Array;
    itemObservation: Int32Array;
    actionScore: Int32Array;
    actionFeature: Int32Array;
    state: Float32Array;
    itemFlags: Float32Array;
    itemShare: Float32Array;
    rows: Float32Array;
  };
}

/** The planner's head: inputs pooled [texts, width], at [items, width] and the parameters `p0`, ... -> scores, trace. */
export const plannerHead =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { pooled, at } = inputs as { pooled: TensorInfo; at: TensorInfo };
    const own = attrs as unknown as PlannerHeadAttrs;
    const parameters = parametersOf(inputs as Record<string, TensorInfo>);
    const size = traceSize(own);
    const scores = wasm.makeOutput([own.flat.actionScore.length], 'float32');
    const trace = wasm.makeOutput([size], 'float32');
    const [texts, stands, out, kept] = places(wasm, [pooled, at, scores, trace]);
    const batch = batchOf(pooled, own);
    native.planner(wasm.wasm.HEAPU8, ...batch, offsets(wasm, parameters), texts!, stands!, out!, size, kept!);
    return [scores, trace];
  };

/** Its gradients: inputs dy, trace, pooled, at and the parameters -> dpooled, dat and a gradient for each parameter. */
export const plannerHeadGrad =
  (native: NativeAddon): KernelFunc =>
  ({ inputs, backend, attrs }) => {
    const wasm = backend as unknown as WasmBackend;
    const { dy, trace, pooled, at } = inputs as Record<'dy' | 'trace' | 'pooled' | 'at', TensorInfo>;
    const own = attrs as unknown as PlannerHeadAttrs;
    const parameters = parametersOf(inputs as Record<string, TensorInfo>);
    const outputs = [pooled, at, ...parameters].map(({ shape }) => wasm.makeOutput([...shape], 'float32'));
    const [texts, stands, flow, kept, dTexts, dStands] = places(wasm, [pooled, at, dy, trace, outputs[0]!, outputs[1]!]);
    const [weights, gradients] = [offsets(wasm, parameters), offsets(wasm, outputs.slice(2))];
    const before = [...batchOf(pooled, own), weights, texts!, stands!, flow!, traceSize(own), kept!];
    native.plannerGrad(wasm.wasm.HEAPU8, ...before, dTexts!, dStands!, gradients);
    return outputs;
  };

function batchOf(pooled: TensorInfo, attrs: PlannerHeadAttrs): (number | Int32Array | Float32Array)[] {
  const { flat, features, hidden, tools, toolsByArity } = attrs;
  const [texts, width] = pooled.shape as [number, number];
  const counts = [texts, width, flat.observations, flat.items, hidden, features.state, features.item, features.action];
  counts.push(flat.rowCount, flat.actionScore.length, tools);
  flat.tuples.forEach(({ count }, arity) => counts.push(count, toolsByArity[arity]!));
  const arrays = [flat.observationText, flat.itemText, flat.itemObservation, flat.actionScore, flat.actionFeature];
  const flags = [flat.state, flat.itemFlags, flat.itemShare, flat.rows];
  return [...counts, ...arrays, ...flags, ...flat.tuples.flatMap(({ observation, args }) => [observation, ...args])];
}

function traceSize({ flat, features, hidden }: PlannerHeadAttrs): number {
  const tuples = flat.tuples.reduce((sum, { count }) => sum + count, 0);
  return (flat.items + flat.observations + tuples + (features.action > 0 ? 2 * flat.rowCount : 0)) * hidden;
}

function parametersOf(inputs: Record<string, TensorInfo>): TensorInfo[] {
  const parameters: TensorInfo[] = [];
  for (let parameter = inputs['p0']; parameter; parameter = inputs[`p${parameters.length}`]) parameters.push(parameter);
  return parameters;
}

const places = (wasm: WasmBackend, tensors: TensorInfo[]): number[] => tensors.map((tensor) => offset(wasm, tensor));
const offsets = (wasm: WasmBackend, tensors: TensorInfo[]): Float64Array => Float64Array.from(places(wasm, tensors));
