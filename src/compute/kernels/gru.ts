/**
 * A bidirectional GRU over many sequences of different lengths, in one kernel each way.
 *
 * Sequences are ordered by falling length, so that step t has steps[t] rows, the first ones; nothing is padded. Rows lie
 * step after step ("packed"): `order` [2 N] gives the token of each packed row, first for the forward direction, then for
 * the backward one. Gates lie as [reset, update, candidate]:
 * r = sigmoid(x_r + g_r), z = sigmoid(x_z + g_z), n = tanh(x_n + r g_n), h' = (1 - z) n + z h, with g = h W + b.
 *
 * GruScan: x [N, 6 H] (both directions), forwardWeight and backwardWeight [H, 3 H], their biases [3 H], order
 *   -> states [N, 2 H], trace [2 N, 4 H] (r, z, n, g_n of each packed row).
 * GruScanGrad: dy [N, 2 H], states, trace, weights, order -> gradients of x, weights and biases.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { floats, integers, type WasmBackend } from './heap.ts';
import { product, reshaped, transposed } from './product.ts';
import { fastTanh } from './tanh.ts';

/** Rows before each step, and in total, which must be all; RangeError also for an order that names other tokens. */
function packing(steps: readonly number[], order: Int32Array): { start: number[]; rows: number } {
  let rows = 0;
  const start = steps.map((count) => (rows += count) - count);
  if (steps.some((count, t) => !(count >= 0) || count > (steps[t - 1] ?? count))) throw new RangeError('gru: steps must fall');
  if (2 * rows !== order.length) throw new RangeError(`gru: the steps have ${rows} rows, the order ${order.length / 2}`);
  for (const token of order) if (token < 0 || token >= rows) throw new RangeError(`gru: token ${token} is outside [0, ${rows})`);
  return { start, rows };
}

export const gruScan: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const { x, order } = inputs as { x: TensorInfo; order: TensorInfo };
  const steps = attrs!['steps'] as unknown as number[];
  const { start, rows } = packing(steps, integers(wasm, order));
  const H = x.shape[1]! / 6;
  const states = wasm.makeOutput([rows, 2 * H], 'float32');
  const trace = wasm.makeOutput([2 * rows, 4 * H], 'float32');
  const hidden = wasm.makeOutput([steps[0] ?? 0, H], 'float32');
  for (const direction of [0, 1]) {
    const weight = inputs[direction === 0 ? 'forwardWeight' : 'backwardWeight'] as TensorInfo;
    const bias = inputs[direction === 0 ? 'forwardBias' : 'backwardBias'] as TensorInfo;
    floats(wasm, hidden).fill(0);
    for (let t = 0; t < steps.length; t++) {
      const n = steps[t]!;
      // At the first step h is 0, so that g is the bias: the same row for all.
      const g = t === 0 ? bias : product(backend, reshaped(hidden, 1, n, H), reshaped(weight, 1, H, 3 * H), bias);
      const stride = t === 0 ? 0 : 3 * H;
      const token = integers(wasm, order);
      const [gv, xv, sv, tv, hv] = [
        floats(wasm, g),
        floats(wasm, x),
        floats(wasm, states),
        floats(wasm, trace),
        floats(wasm, hidden),
      ];
      for (let row = 0; row < n; row++) {
        const packed = direction * rows + start[t]! + row;
        const xi = token[packed]! * 6 * H + direction * 3 * H;
        const gi = row * stride;
        const ti = packed * 4 * H;
        const si = token[packed]! * 2 * H + direction * H;
        const hi = row * H;
        for (let j = 0; j < H; j++) {
          const r = 0.5 + 0.5 * fastTanh(0.5 * (xv[xi + j]! + gv[gi + j]!));
          const z = 0.5 + 0.5 * fastTanh(0.5 * (xv[xi + H + j]! + gv[gi + H + j]!));
          const gn = gv[gi + 2 * H + j]!;
          const candidate = fastTanh(xv[xi + 2 * H + j]! + r * gn);
          const h = candidate + z * (hv[hi + j]! - candidate);
          hv[hi + j] = h;
          sv[si + j] = h;
          tv[ti + j] = r;
          tv[ti + H + j] = z;
          tv[ti + 2 * H + j] = candidate;
          tv[ti + 3 * H + j] = gn;
        }
      }
      if (t > 0) wasm.disposeData(g.dataId);
    }
  }
  wasm.disposeData(hidden.dataId);
  return [states, trace];
};

export const gruScanGrad: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const { dy, states, trace, order } = inputs as Record<'dy' | 'states' | 'trace' | 'order', TensorInfo>;
  const steps = attrs!['steps'] as unknown as number[];
  const { start, rows } = packing(steps, integers(wasm, order));
  const H = states.shape[1]! / 2;
  const most = steps[0] ?? 0;
  const dx = wasm.makeOutput([rows, 6 * H], 'float32');
  const dWeights: TensorInfo[] = [];
  const dBiases = [wasm.makeOutput([3 * H], 'float32'), wasm.makeOutput([3 * H], 'float32')];
  const dHidden = wasm.makeOutput([most, H], 'float32');
  const dGate = wasm.makeOutput([most, 3 * H], 'float32');
  const previous = wasm.makeOutput([rows, H], 'float32');
  for (const direction of [0, 1]) {
    // New for each direction: the product keeps a packed copy of its second operand for as long as that tensor lives.
    const allGates = wasm.makeOutput([rows, 3 * H], 'float32');
    const backWeight = transposed(backend, inputs[direction === 0 ? 'forwardWeight' : 'backwardWeight'] as TensorInfo);
    floats(wasm, dHidden).fill(0);
    for (let t = steps.length - 1; t >= 0; t--) {
      const n = steps[t]!;
      const dgv = floats(wasm, dGate);
      gateGradients(
        {
          token: integers(wasm, order),
          dy: floats(wasm, dy),
          states: floats(wasm, states),
          trace: floats(wasm, trace),
          dx: floats(wasm, dx),
          dHidden: floats(wasm, dHidden),
          dGate: dgv,
          previous: floats(wasm, previous),
        },
        { n, H, packed: direction * rows, direction, start: start[t]!, before: t === 0 ? undefined : start[t - 1]! },
      );
      floats(wasm, allGates).set(dgv.subarray(0, n * 3 * H), start[t]! * 3 * H);
      if (t === 0) continue;
      const back = product(backend, reshaped(dGate, 1, n, 3 * H), reshaped(backWeight, 1, 3 * H, H));
      const [bv, target] = [floats(wasm, back), floats(wasm, dHidden)];
      for (let i = 0; i < n * H; i++) target[i] = target[i]! + bv[i]!;
      wasm.disposeData(back.dataId);
    }
    const previousT = transposed(backend, previous);
    dWeights.push({
      ...product(backend, reshaped(previousT, 1, H, rows), reshaped(allGates, 1, rows, 3 * H)),
      shape: [H, 3 * H],
    });
    columnSums(floats(wasm, allGates), floats(wasm, dBiases[direction]!));
    wasm.disposeData(previousT.dataId);
    wasm.disposeData(backWeight.dataId);
    wasm.disposeData(allGates.dataId);
  }
  for (const scratch of [dHidden, dGate, previous]) wasm.disposeData(scratch.dataId);
  return [dx, dWeights[0]!, dBiases[0]!, dWeights[1]!, dBiases[1]!];
};

/** What {@link gateGradients} reads (token, dy, states, trace) and writes. */
interface StepArrays {
  token: Int32Array;
  dy: Float32Array;
  states: Float32Array;
  trace: Float32Array;
  dx: Float32Array;
  /** [n, H]: gradient of the state after the step, and then the part of it that goes past the gates to the state before. */
  dHidden: Float32Array;
  dGate: Float32Array;
  /** The state before each row. */
  previous: Float32Array;
}

/** One step of one direction. */
interface StepPlace {
  /** Rows of the step. */
  n: number;
  H: number;
  direction: number;
  /** First packed row of the direction. */
  packed: number;
  /** First row of the step and of the one before it; undefined at the first step. */
  start: number;
  before: number | undefined;
}

/** Gradients of the gates of one step, backwards through the cell. */
function gateGradients(
  arrays: StepArrays,
  { n, H, direction, packed: firstPacked, start, before: startBefore }: StepPlace,
): void {
  const { token, dy: dyv, states: sv, trace: tv, dx: dxv, dHidden: dhv, dGate: dgv, previous: pv } = arrays;
  for (let row = 0; row < n; row++) {
    const packed = firstPacked + start + row;
    const xi = token[packed]! * 6 * H + direction * 3 * H;
    const si = token[packed]! * 2 * H + direction * H;
    const before = startBefore === undefined ? -1 : token[firstPacked + startBefore + row]! * 2 * H + direction * H;
    const ti = packed * 4 * H;
    const gi = row * 3 * H;
    const pi = (start + row) * H;
    for (let j = 0; j < H; j++) {
      const r = tv[ti + j]!;
      const z = tv[ti + H + j]!;
      const candidate = tv[ti + 2 * H + j]!;
      const dh = dhv[row * H + j]! + dyv[si + j]!;
      const h = before < 0 ? 0 : sv[before + j]!;
      const dn = dh * (1 - z) * (1 - candidate * candidate);
      const dz = dh * (h - candidate) * z * (1 - z);
      const dr = dn * tv[ti + 3 * H + j]! * r * (1 - r);
      dxv[xi + j] = dr;
      dxv[xi + H + j] = dz;
      dxv[xi + 2 * H + j] = dn;
      dgv[gi + j] = dr;
      dgv[gi + H + j] = dz;
      dgv[gi + 2 * H + j] = dn * r;
      pv[pi + j] = h;
      dhv[row * H + j] = dh * z;
    }
  }
}

function columnSums(matrix: Float32Array, into: Float32Array): void {
  const sums = new Float64Array(into.length);
  for (let i = 0; i < matrix.length;) for (let j = 0; j < sums.length; j++, i++) sums[j]! += matrix[i]!;
  into.set(sums);
}
