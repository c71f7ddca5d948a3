/** The head in training: never more than a part of [rows, vocabulary] is in memory. */
import * as tf from '@tensorflow/tfjs-core';
import { accumulate } from '../../compute/arrays.ts';
import { logSoftmax } from '../../compute/fused.ts';
import type { Target } from './tree.ts';

/** What a distribution over the vocabulary says, for each target. */
export interface Outcomes {
  /** log-probability of its token. */
  logProbs: Float64Array;
  /** Entropy of the distribution that it was drawn from, in nats. */
  entropies: Float64Array;
}

/** Derivatives of a loss with respect to {@link Outcomes}. */
export type OutcomeDerivatives = Outcomes;

/** Where the gradient of the head is added, if it is trained: [vocabulary, width] from `offset`. */
export interface HeadGradient {
  gradient: Float64Array;
  offset: number;
}

/** Hidden states that targets follow, and the targets of each. */
export interface HeadRows {
  /** Rows of the pass, each once, ascending. */
  rows: number[];
  /** Targets, by their places, of each of these rows. */
  targets: { place: number; token: number }[][];
}

/** Numbers of one part of [rows, vocabulary]: 16 MB as float32. */
const NUMBERS_AT_ONCE = 4 << 20;

/** Collects targets by row. */
export function headRows(targets: readonly Target[]): HeadRows {
  const byRow = new Map<number, { place: number; token: number }[]>();
  targets.forEach(({ row, token }, place) => {
    const known = byRow.get(row);
    if (known) known.push({ place, token });
    else byRow.set(row, [{ place, token }]);
  });
  const rows = [...byRow.keys()].sort((a, b) => a - b);
  return { rows, targets: rows.map((row) => byRow.get(row)!) };
}

/**
 * What softmax(head · hidden / temperature) says about the targets, part after part; the caller may do something else in between.
 *
 * @param head - [vocabulary, width]
 * @param hidden - [rows, width], a row for each of `of.rows`
 */
export function* headOutcomes(
  head: tf.Tensor2D,
  hidden: tf.Tensor2D,
  of: HeadRows,
  temperature: number,
): Generator<void, Outcomes> {
  const count = of.targets.reduce((sum, { length }) => sum + length, 0);
  const outcomes = { logProbs: new Float64Array(count), entropies: new Float64Array(count) };
  for (const part of partsOf(head, of)) {
    tf.tidy(() => {
      const logs = logsOf(head, scaledRows(hidden, part, temperature));
      const entropies = tf.neg(tf.sum(tf.mul(tf.exp(logs), logs), 1)).dataSync();
      const chosen = tf
        .gatherND(
          logs,
          tf.tensor2d(
            part.pairs.map(({ row, token }) => [row, token]),
            undefined,
            'int32',
          ),
        )
        .dataSync();
      part.pairs.forEach(({ place, row }, pair) => {
        outcomes.logProbs[place] = chosen[pair]!;
        outcomes.entropies[place] = entropies[row]!;
      });
    });
    yield;
  }
  return outcomes;
}

/**
 * Derivative of a loss with respect to the hidden states, [rows, width], the caller's to dispose of. With p the softmax and H its entropy,
 * d log p_y / d z_j = [j = y] − p_j and dH / d z_j = −p_j (log p_j + H), where z = head · hidden / temperature.
 *
 * @param by - derivatives of the loss, and the entropies that were found
 * @param trained - where the head's own gradient is added
 */
export function* headBackward(
  { head, hidden, of, temperature }: { head: tf.Tensor2D; hidden: tf.Tensor2D; of: HeadRows; temperature: number },
  by: OutcomeDerivatives & { found: Outcomes },
  trained?: HeadGradient,
): Generator<void, tf.Tensor2D> {
  const parts: tf.Tensor2D[] = [];
  try {
    for (const part of partsOf(head, of)) {
      parts.push(
        tf.keep(tf.tidy(() => partBackward(head, scaledRows(hidden, part, temperature), { part, by, temperature, trained }))),
      );
      yield;
    }
    return tf.keep(tf.tidy(() => tf.concat(parts, 0)));
  } finally {
    tf.dispose(parts);
  }
}

/** Some of the rows, with all that is asked for after each. */
interface Part {
  start: number;
  rows: number;
  /** Targets; `row` counts within the part. */
  pairs: { place: number; row: number; token: number }[];
}

function partsOf(head: tf.Tensor2D, { targets }: HeadRows): Part[] {
  const size = Math.max(1, Math.floor(NUMBERS_AT_ONCE / head.shape[0]));
  return Array.from({ length: Math.ceil(targets.length / size) }, (_, index) => {
    const start = index * size;
    const part = targets.slice(start, start + size);
    return { start, rows: part.length, pairs: part.flatMap((pairs, row) => pairs.map((pair) => ({ ...pair, row }))) };
  });
}

function scaledRows(hidden: tf.Tensor2D, { start, rows }: Part, temperature: number): tf.Tensor2D {
  return tf.mul(tf.slice(hidden, [start, 0], [rows, -1]), 1 / temperature);
}

function logsOf(head: tf.Tensor2D, scaled: tf.Tensor2D): tf.Tensor2D {
  return logSoftmax(tf.matMul(scaled, head, false, true));
}

function partBackward(
  head: tf.Tensor2D,
  scaled: tf.Tensor2D,
  {
    part: { rows, pairs },
    by,
    temperature,
    trained,
  }: {
    part: Part;
    by: OutcomeDerivatives & { found: Outcomes };
    temperature: number;
    trained: HeadGradient | undefined;
  },
): tf.Tensor2D {
  const [pull, bonus, entropy] = [0, 1, 2].map(() => new Float32Array(rows)) as [Float32Array, Float32Array, Float32Array];
  const chosen = new Float32Array(rows * pairs.length);
  pairs.forEach(({ place, row }, pair) => {
    pull[row]! += by.logProbs[place]!;
    bonus[row]! += by.entropies[place]!;
    entropy[row] = by.found.entropies[place]!;
    chosen[row * pairs.length + pair] = by.logProbs[place]!;
  });
  const column = (values: Float32Array): tf.Tensor2D => tf.tensor2d(values, [rows, 1]);
  const logs = logsOf(head, scaled);
  const weights = tf.add(column(pull), tf.mul(column(bonus), tf.add(logs, column(entropy))));
  const slopes = tf.neg(tf.mul(tf.exp(logs), weights)) as tf.Tensor2D;
  // The tokens themselves: rows of the head, so that no second [rows, vocabulary] is needed.
  const tokens = tf.gather(
    head,
    tf.tensor1d(
      pairs.map(({ token }) => token),
      'int32',
    ),
  );
  const flow: tf.Tensor2D = tf.add(tf.matMul(slopes, head), tf.matMul(tf.tensor2d(chosen, [rows, pairs.length]), tokens));
  if (trained) addHeadGradient(scaled, slopes, { pairs, by, trained });
  return tf.mul(flow, 1 / temperature);
}

function addHeadGradient(
  scaled: tf.Tensor2D,
  slopes: tf.Tensor2D,
  { pairs, by, trained: { gradient, offset } }: { pairs: Part['pairs']; by: OutcomeDerivatives; trained: HeadGradient },
): void {
  accumulate(tf.matMul(slopes, scaled, true, false), gradient, offset);
  const width = scaled.shape[1];
  const states = scaled.dataSync();
  for (const { place, row, token } of pairs) {
    const weight = by.logProbs[place]!;
    const at = offset + token * width;
    for (let i = 0; i < width; i++) gradient[at + i]! += weight * states[row * width + i]!;
  }
}
