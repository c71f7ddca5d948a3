import { wrong } from '../check.ts';

/** Options of {@link valueLoss}. */
export interface ValueLossOptions {
  /** Weight of the loss. Default 1. */
  coefficient?: number;
  /** How far a value may move from `oldValues` before its loss stops; needs them. Off when absent. */
  clip?: number | undefined;
  /** Values at the start of the round, one per decision. */
  oldValues?: ArrayLike<number> | undefined;
}

/**
 * Loss of a value head, a sum over decisions: coefficient x weight x 1/2 (V - target)^2; with `clip` c the larger of that and
 * 1/2 (clip(V, old - c, old + c) - target)^2, so that one round cannot pull a value far.
 *
 * Source: Schulman et al., arXiv 1707.06347; clipping: `compute_value_loss` of verl `verl/trainer/ppo/core_algos.py`.
 *
 * @returns the sum; d loss / d V, one per decision; sums of weight x metric: `valueLoss` (without the coefficient),
 *   `valueError` (|V - target|), `valueClipFraction` with `clip`
 */
export function valueLoss(
  values: ArrayLike<number>,
  targets: ArrayLike<number>,
  weights: ArrayLike<number>,
  { coefficient = 1, clip, oldValues }: ValueLossOptions = {},
): { loss: number; derivative: Float64Array; statistics: Record<string, number> } {
  if (clip !== undefined && oldValues === undefined)
    throw wrong('oldValues', 'a clipped value loss needs the values at the start of the round');
  const n = values.length;
  const derivative = new Float64Array(n);
  let loss = 0;
  let distance = 0;
  let clipped = 0;
  for (let d = 0; d < n; d++) {
    const error = values[d]! - targets[d]!;
    let square = error * error;
    let slope = error;
    if (clip !== undefined) {
      const bounded = Math.min(oldValues![d]! + clip, Math.max(oldValues![d]! - clip, values[d]!)) - targets[d]!;
      if (bounded * bounded > square) {
        square = bounded * bounded;
        slope = 0;
        clipped += weights[d]!;
      }
    }
    loss += 0.5 * weights[d]! * square;
    distance += weights[d]! * Math.abs(error);
    derivative[d] = coefficient * weights[d]! * slope + 0;
  }
  const statistics = { valueLoss: loss, valueError: distance, ...(clip === undefined ? {} : { valueClipFraction: clipped }) };
  return { loss: coefficient * loss, derivative, statistics };
}
