/**
 * Multi-head self-attention within each of many sequences of different lengths, in one kernel each way: softmax(Q K^T /
 * sqrt(D)) V per sequence and head. Nothing is padded.
 *
 * RaggedAttention: qkv [N, 3 W] (queries, keys, values side by side), starts [S + 1]; attrs heads
 *   -> out [N, W], probabilities (sequence after sequence, head after head, L x L each).
 * RaggedAttentionGrad: dy [N, W], qkv, probabilities, starts -> gradient of qkv.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { floats, integers, type WasmBackend } from './heap.ts';

export const raggedAttention: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const { qkv, starts } = inputs as { qkv: TensorInfo; starts: TensorInfo };
  const heads = attrs!['heads'] as number;
  const width = qkv.shape[1]! / 3;
  const D = width / heads;
  const scale = 1 / Math.sqrt(D);
  checkStarts(integers(wasm, starts), qkv.shape[0]!);
  const out = wasm.makeOutput([qkv.shape[0]!, width], 'float32');
  const probabilities = wasm.makeOutput([heads * squares(integers(wasm, starts))], 'float32');
  const start = integers(wasm, starts);
  const [x, y, p] = [floats(wasm, qkv), floats(wasm, out), floats(wasm, probabilities)];
  const row = new Float64Array(longest(start));
  const sum = new Float64Array(D);
  let at = 0;
  for (let s = 0; s + 1 < start.length; s++) {
    const from = start[s]!;
    const L = start[s + 1]! - from;
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < L; i++) {
        const q = (from + i) * 3 * width + head * D;
        let largest = -Infinity;
        for (let j = 0, k = from * 3 * width + width + head * D; j < L; j++, k += 3 * width) {
          row[j] = scale * dot(x, q, x, k, D);
          if (row[j]! > largest) largest = row[j]!;
        }
        let total = 0;
        for (let j = 0; j < L; j++) total += row[j] = Math.exp(row[j]! - largest);
        sum.fill(0);
        for (let j = 0, v = from * 3 * width + 2 * width + head * D; j < L; j++, v += 3 * width) {
          const weight = row[j]! / total;
          p[at++] = weight;
          for (let d = 0; d < D; d++) sum[d]! += weight * x[v + d]!;
        }
        y.set(sum, (from + i) * width + head * D);
      }
    }
  }
  return [out, probabilities];
};

export const raggedAttentionGrad: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as unknown as WasmBackend;
  const { dy, qkv, probabilities, starts } = inputs as Record<'dy' | 'qkv' | 'probabilities' | 'starts', TensorInfo>;
  const heads = attrs!['heads'] as number;
  const width = qkv.shape[1]! / 3;
  const D = width / heads;
  const scale = 1 / Math.sqrt(D);
  checkStarts(integers(wasm, starts), qkv.shape[0]!);
  if (probabilities.shape[0] !== heads * squares(integers(wasm, starts))) {
    throw new RangeError('attention: the probabilities are of other sequences');
  }
  const dqkv = wasm.makeOutput([...qkv.shape], 'float32');
  const start = integers(wasm, starts);
  const [g, x, p, dx] = [floats(wasm, dy), floats(wasm, qkv), floats(wasm, probabilities), floats(wasm, dqkv)];
  dx.fill(0);
  const dRow = new Float64Array(longest(start));
  const dQuery = new Float64Array(D);
  let at = 0;
  for (let s = 0; s + 1 < start.length; s++) {
    const from = start[s]!;
    const L = start[s + 1]! - from;
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < L; i++, at += L) {
        const o = (from + i) * width + head * D;
        const q = (from + i) * 3 * width + head * D;
        let mean = 0;
        for (let j = 0, v = from * 3 * width + 2 * width + head * D; j < L; j++, v += 3 * width) {
          const weight = p[at + j]!;
          for (let d = 0; d < D; d++) dx[v + d] = dx[v + d]! + weight * g[o + d]!;
          const flow = dot(g, o, x, v, D);
          dRow[j] = flow;
          mean += weight * flow;
        }
        dQuery.fill(0);
        for (let j = 0, k = from * 3 * width + width + head * D; j < L; j++, k += 3 * width) {
          const dScore = p[at + j]! * (dRow[j]! - mean) * scale;
          for (let d = 0; d < D; d++) {
            dQuery[d]! += dScore * x[k + d]!;
            dx[k + d] = dx[k + d]! + dScore * x[q + d]!;
          }
        }
        dx.set(dQuery, q);
      }
    }
  }
  return dqkv;
};

/** Four sums at a time, so that additions need not wait for each other. */
// eslint-disable-next-line max-params -- called for every pair of tokens and head: an object for each would cost more than the sum
function dot(x: Float32Array, i: number, y: Float32Array, j: number, n: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let e = 0;
  let d = 0;
  for (; d + 3 < n; d += 4) {
    a += x[i + d]! * y[j + d]!;
    b += x[i + d + 1]! * y[j + d + 1]!;
    c += x[i + d + 2]! * y[j + d + 2]!;
    e += x[i + d + 3]! * y[j + d + 3]!;
  }
  for (; d < n; d++) a += x[i + d]! * y[j + d]!;
  return a + b + (c + e);
}

function checkStarts(start: Int32Array, rows: number): void {
  for (let s = 0; s < start.length; s++) {
    if (start[s]! < (start[s - 1] ?? 0) || start[s]! > rows) {
      throw new RangeError(`attention: sequence ${s} starts at ${start[s]!}, before another or beyond the ${rows} rows`);
    }
  }
}

function squares(start: Int32Array): number {
  let sum = 0;
  for (let s = 0; s + 1 < start.length; s++) sum += (start[s + 1]! - start[s]!) ** 2;
  return sum;
}

function longest(start: Int32Array): number {
  let most = 0;
  for (let s = 0; s + 1 < start.length; s++) most = Math.max(most, start[s + 1]! - start[s]!);
  return most;
}
