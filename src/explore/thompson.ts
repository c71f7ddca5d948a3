import { betaCdf } from '../algo/stats/beta.ts';
import type { Outcomes } from './beta.ts';

/** Points around each posterior's mean, in standard deviations, that the integral is cut at. */
const CUTS = [-6, -4.5, -3.5, -2.75, -2.25, -1.75, -1.25, -0.75, -0.25, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.5, 4.5, 6];
const EVEN_CUTS = 32;

/**
 * Thompson sampling as a distribution: for each arm the probability that its success, drawn from the posterior
 * Beta(1 + good, 1 + bad), is the largest of all. They sum to 1.
 *
 * P(k is best) = ∫ Π_{j≠k} F_j(x) dF_k(x), by the trapezoidal rule on cuts laid where the posteriors are. Drawing an arm from the
 * result is Thompson sampling without drawing posteriors, and the probability of the arm drawn is known: how exact the integral
 * is decides how close this comes to Thompson's rule (within about 1e-3), never whether the recorded probability is true.
 */
export function bestProbabilities(arms: readonly Outcomes[]): Float64Array {
  const n = arms.length;
  if (n === 1) return Float64Array.of(1);
  const cuts = cutsFor(arms);
  const tables = arms.map(({ good, bad }) => cuts.map((x) => betaCdf(x, 1 + good, 1 + bad)));
  const best = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let before = product(tables, k, 0);
    for (let i = 1; i < cuts.length; i++) {
      const after = product(tables, k, i);
      best[k]! += ((before + after) / 2) * (tables[k]![i]! - tables[k]![i - 1]!);
      before = after;
    }
  }
  const total = best.reduce((sum, p) => sum + p, 0);
  return best.map((p) => p / total);
}

function product(tables: readonly (readonly number[])[], without: number, at: number): number {
  let all = 1;
  for (let j = 0; j < tables.length; j++) if (j !== without) all *= tables[j]![at]!;
  return all;
}

function cutsFor(arms: readonly Outcomes[]): number[] {
  const cuts = Array.from({ length: EVEN_CUTS + 1 }, (_, i) => i / EVEN_CUTS);
  const seen = new Set<string>();
  for (const { good, bad } of arms) {
    // Arms alike need their cuts once.
    const key = `${good}/${bad}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const n = 2 + good + bad;
    const mean = (1 + good) / n;
    const deviation = Math.sqrt((mean * (1 - mean)) / (n + 1));
    for (const z of CUTS) {
      const x = mean + z * deviation;
      if (x > 0 && x < 1) cuts.push(x);
    }
  }
  return cuts.sort((a, b) => a - b);
}
