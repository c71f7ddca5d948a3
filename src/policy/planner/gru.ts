/** A one-layer bidirectional GRU over the distinct texts; see compute/kernels/gru.ts for the equations and the packing. */
import * as tf from '@tensorflow/tfjs-core';
import { hasKernel, isRecording } from '../../compute/fused.ts';
import { dense, indices, take, weight, type TensorMap } from './ops.ts';
import type { FlatTexts } from './texts.ts';

/** Order of computation: step t works on `steps[t]` texts, the longest first. */
interface Packing {
  steps: number[];
  /** Token of each packed row, forward direction, then backward. */
  order: Int32Array;
}

/** States of all tokens, [tokens, 2 H]: forward beside backward. `embedded` is [tokens, embed]. */
export function gruStates(weights: TensorMap, embedded: tf.Tensor2D, texts: FlatTexts): tf.Tensor2D {
  const packing = pack(texts);
  const x = dense(weights, 'text.gru.input', embedded);
  return hasKernel('GruScan') ? fusedScan(weights, x, packing) : composedScan(weights, x, packing);
}

function pack(texts: FlatTexts): Packing {
  const length = (text: number): number => texts.start[text + 1]! - texts.start[text]!;
  const sorted = Array.from({ length: texts.count }, (_, text) => text)
    .filter((text) => length(text) > 0)
    .sort((a, b) => length(b) - length(a) || a - b);
  const rows = texts.tokens.length;
  const order = new Int32Array(2 * rows);
  const steps: number[] = [];
  let active = sorted.length;
  for (let t = 0, row = 0; t < texts.longest; t++) {
    while (active > 0 && length(sorted[active - 1]!) <= t) active--;
    for (let i = 0; i < active; i++, row++) {
      order[row] = texts.start[sorted[i]!]! + t;
      order[rows + row] = texts.start[sorted[i]! + 1]! - 1 - t;
    }
    steps.push(active);
  }
  return { steps, order };
}

function fusedScan(weights: TensorMap, x: tf.Tensor2D, { steps, order }: Packing): tf.Tensor2D {
  const names = ['forward.weight', 'forward.bias', 'backward.weight', 'backward.bias'];
  const recurrent = names.map((name) => weight(weights, `text.gru.${name}`));
  const attrs = { steps } as unknown as tf.NamedAttrMap;
  const op = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [input, forwardWeight, forwardBias, backwardWeight, backwardBias] = args as tf.Tensor[];
    const rows = indices(order);
    const inputs = {
      x: input!,
      forwardWeight: forwardWeight!,
      forwardBias: forwardBias!,
      backwardWeight: backwardWeight!,
      backwardBias: backwardBias!,
      order: rows,
    };
    const keep = isRecording();
    const [states, trace] = tf.engine().runKernel('GruScan', inputs, { ...attrs, keep }) as tf.Tensor[];
    save([states!, trace!, forwardWeight!, backwardWeight!, rows]);
    return {
      value: states!,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [states, trace, forwardWeight, backwardWeight, order] = saved as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        return tf
          .engine()
          .runKernel('GruScanGrad', { dy, states, trace, forwardWeight, backwardWeight, order }, attrs) as tf.Tensor[];
      },
    };
  });
  return op(x, ...recurrent) as tf.Tensor2D;
}

/** The same from ordinary operations, for backends without the fused kernels. */
function composedScan(weights: TensorMap, x: tf.Tensor2D, { steps, order }: Packing): tf.Tensor2D {
  const H = x.shape[1] / 6;
  const rows = x.shape[0];
  const both = ['forward', 'backward'].map((name, direction) => {
    const columns = tf.slice2d(x, [0, direction * 3 * H], [rows, 3 * H]);
    const states: tf.Tensor2D[] = [];
    let start = direction * rows;
    let h = tf.zeros<tf.Rank.R2>([steps[0]!, H]);
    for (const n of steps) {
      const input = take(columns, indices(order.slice(start, start + n)));
      const previous = tf.slice2d(h, [0, 0], [n, H]);
      const g = dense(weights, `text.gru.${name}`, previous);
      const part = (matrix: tf.Tensor2D, k: number): tf.Tensor2D => tf.slice2d(matrix, [0, k * H], [n, H]);
      const r = tf.sigmoid(tf.add(part(input, 0), part(g, 0)));
      const z = tf.sigmoid(tf.add(part(input, 1), part(g, 1)));
      const candidate = tf.tanh(tf.add(part(input, 2), tf.mul(r, part(g, 2))));
      h = tf.add(candidate, tf.mul(z, tf.sub(previous, candidate)));
      states.push(h);
      start += n;
    }
    const place = new Int32Array(rows);
    for (let row = 0; row < rows; row++) place[order[direction * rows + row]!] = row;
    return take(tf.concat2d(states, 0), indices(place));
  });
  return tf.concat2d(both, 1);
}
