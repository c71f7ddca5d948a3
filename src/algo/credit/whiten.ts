import { areEqual } from '../stats/equal.ts';

/** Options of {@link whiten}. */
export interface WhitenOptions {
  /** Which standard deviation. Default 'sample'. */
  std?: 'sample' | 'population';
  /** Added to it. Default 1e-8. */
  epsilon?: number;
  /** Values are equal when max - min is at most this share of the largest size, or of 1 if that is larger. Default 1e-12. */
  tolerance?: number;
  /** What counts; the rest becomes 0 and stays out of mean and deviation. Default: every finite value. */
  valid?: readonly boolean[];
}

/**
 * (x - mean) / (std + epsilon) over all values that count: mean 0, deviation 1. Exactly 0 for everything where the values are
 * equal or fewer than two count; values that are not finite never do.
 *
 * Source: `masked_whiten` of verl (`verl/utils/torch_functional.py`), which adds epsilon to the variance instead.
 */
export function whiten(values: readonly number[], options: WhitenOptions = {}): number[] {
  const { std = 'sample', epsilon = 1e-8, tolerance, valid } = options;
  const counts = values.map((value, i) => Number.isFinite(value) && (valid?.[i] ?? valid === undefined));
  const members = values.filter((_, i) => counts[i]);
  if (areEqual(members, tolerance)) return values.map(() => 0);
  const n = members.length;
  const mean = members.reduce((sum, value) => sum + value, 0) / n;
  const squares = members.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (std === 'sample' ? n - 1 : n)) + epsilon;
  return values.map((value, i) => (counts[i] ? (value - mean) / deviation : 0));
}

/** {@link whiten} over the trajectories of several groups at once, `[group][trajectory]`. */
export function whitenGroups(
  values: readonly (readonly number[])[],
  valid: readonly (readonly boolean[])[],
  options: Omit<WhitenOptions, 'valid'> = {},
): number[][] {
  const flat = whiten(values.flat(), { ...options, valid: valid.flat() });
  let next = 0;
  return values.map((group) => group.map(() => flat[next++]!));
}
