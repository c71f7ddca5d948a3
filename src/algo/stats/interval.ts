import { columns, inRange } from '../check.ts';
import { betaQuantile } from './beta.ts';
import { wilson } from './wilson.ts';

/** Lower and upper bound. */
export type Interval = [low: number, high: number];

/**
 * Clopper-Pearson interval of a proportion: covers the true one with at least `level`, however small `n` is, and is wider than
 * {@link wilson} for that. No trials: [0, 1]. Source: Clopper and Pearson, Biometrika 26 (1934).
 *
 * @param level - confidence, in (0, 1); default 0.95
 * @throws MillraceError `invalid_argument` unless 0 <= successes <= n, both whole
 */
export function clopperPearson(successes: number, n: number, level = 0.95): Interval {
  inRange('n', n, { min: 0, whole: true });
  inRange('successes', successes, { min: 0, max: n, whole: true });
  checkLevel(level);
  const tail = (1 - level) / 2;
  return [
    successes === 0 ? 0 : betaQuantile(tail, successes, n - successes + 1),
    successes === n ? 1 : betaQuantile(1 - tail, successes + 1, n - successes),
  ];
}

/** The t with P(|T| <= t) = level for Student's T with `degrees` degrees of freedom. */
export function studentQuantile(level: number, degrees: number): number {
  checkLevel(level);
  inRange('degrees', degrees, { above: 0 });
  // P(|T| > t) = I_x(degrees / 2, 1/2) with x = degrees / (degrees + t²).
  const x = betaQuantile(1 - level, degrees / 2, 0.5);
  return Math.sqrt((degrees * (1 - x)) / x);
}

/**
 * Student's interval of a mean. The values must be independent of each other: of several flows of one task give their mean, once.
 * One value or none: the bounds are not known, [-Infinity, Infinity].
 *
 * @param level - confidence, in (0, 1); default 0.95
 */
export function meanInterval(values: ArrayLike<number>, level = 0.95): Interval {
  return ratioInterval(values, new Uint8Array(values.length).fill(1), level);
}

/**
 * Interval of Σ numerators / Σ denominators, e.g. of successful calls among all calls, where each pair is one task: Student's, with the
 * standard error of the linearised ratio. Fewer than two pairs, or denominators that sum to 0: [-Infinity, Infinity].
 * Source: W. G. Cochran, Sampling Techniques (1977), section 2.11.
 *
 * @param level - confidence, in (0, 1); default 0.95
 */
export function ratioInterval(numerators: ArrayLike<number>, denominators: ArrayLike<number>, level = 0.95): Interval {
  columns({ numerators, denominators });
  checkLevel(level);
  const n = numerators.length;
  const [above, below] = [sum(numerators), sum(denominators)];
  if (n < 2 || below <= 0) return [-Infinity, Infinity];
  const ratio = above / below;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (numerators[i]! - ratio * denominators[i]!) ** 2;
  const spread = (studentQuantile(level, n - 1) * Math.sqrt((n / (n - 1)) * squares)) / below;
  return [ratio - spread, ratio + spread];
}

/** How two policies did on the same tasks, each judged once by each. */
export interface PairedCounts {
  /** Tasks that both solve. */
  both: number;
  /** Tasks that only the candidate solves: W. */
  wins: number;
  /** Tasks that only the baseline solves: L. */
  losses: number;
  /** Tasks that neither solves. */
  neither: number;
}

/**
 * Newcombe's interval of the difference of two success rates on the same tasks, candidate - baseline: Wilson's intervals of both
 * rates, joined with regard to how the outcomes go together. `z` is the normal quantile, 1.96 for 95 %. No tasks: [-1, 1].
 * Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.
 */
export function pairedDifferenceInterval({ both, wins, losses, neither }: PairedCounts, z = 1.96): Interval {
  for (const [field, value] of Object.entries({ both, wins, losses, neither })) inRange(field, value, { min: 0, whole: true });
  inRange('z', z, { min: 0 });
  const n = both + wins + losses + neither;
  if (n === 0) return [-1, 1];
  const [p, q] = [(both + wins) / n, (both + losses) / n];
  const [[pLow, pHigh], [qLow, qHigh]] = [wilson(both + wins, n, z), wilson(both + losses, n, z)];
  const margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither);
  const product = both * neither - wins * losses;
  const corrected = product > 0 ? Math.max(0, product - n / 2) : product;
  const correlation = margins > 0 ? corrected / Math.sqrt(margins) : 0;
  const spread = (a: number, b: number): number => Math.sqrt(Math.max(0, a * a - 2 * correlation * a * b + b * b));
  const difference = p - q;
  return [difference - spread(p - pLow, qHigh - q), difference + spread(pHigh - p, q - qLow)];
}

function checkLevel(level: number): void {
  inRange('level', level, { above: 0, max: 1 - 1e-12 });
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
