import { betaCdf, logGamma } from '../algo/stats/beta.ts';
import type { Outcomes } from './beta.ts';

/**
 * For each arm the probability that its success, drawn from the posterior Beta(1 + good, 1 + bad), is the largest of all, to 1e-9:
 * P(k is best) = ∫ f_k(x) Π_{j≠k} F_j(x) dx, by Gauss and Legendre's rule on cells laid where the posteriors are, and halved towards
 * 0 and 1, where a density of a fractional count has a corner. No arms: none. The sampling itself uses the same integral more
 * coarsely ({@link file://./thompson.ts}), since it is computed for every state bucket of every version.
 */
export function exactBestProbabilities(arms: readonly Outcomes[]): number[] {
  const n = arms.length;
  if (n < 2) return arms.map(() => 1);
  const shapes = arms.map(({ good, bad }) => ({
    a: good,
    b: bad,
    // ln of 1 / B(1 + good, 1 + bad)
    front: logGamma(2 + good + bad) - logGamma(1 + good) - logGamma(1 + bad),
  }));
  const best = new Array<number>(n).fill(0);
  const below = new Float64Array(n);
  const cells = cellsFor(arms);
  for (let c = 1; c < cells.length; c++) {
    const [from, width] = [cells[c - 1]!, cells[c]! - cells[c - 1]!];
    for (const [node, weight] of NODES) {
      const x = from + width * node;
      for (let j = 0; j < n; j++) below[j] = betaCdf(x, 1 + shapes[j]!.a, 1 + shapes[j]!.b);
      const [lnX, lnRest] = [Math.log(x), Math.log1p(-x)];
      for (let k = 0; k < n; k++) {
        const { a, b, front } = shapes[k]!;
        let all = width * weight * Math.exp(front + a * lnX + b * lnRest);
        for (let j = 0; j < n; j++) if (j !== k) all *= below[j]!;
        best[k]! += all;
      }
    }
  }
  const total = best.reduce((sum, p) => sum + p, 0);
  return best.map((p) => p / total);
}

/** Cells are halved so often towards 0 and 1. */
const HALVINGS = 40;
/** Points around each posterior's mean, in standard deviations, that are ends of cells. */
const AROUND = [-12, -10, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12];

function cellsFor(arms: readonly Outcomes[]): number[] {
  const ends = [0, 1];
  for (let k = 1; k <= HALVINGS; k++) ends.push(2 ** -k, 1 - 2 ** -k);
  for (const { good, bad } of arms) {
    const n = 2 + good + bad;
    const mean = (1 + good) / n;
    const deviation = Math.sqrt((mean * (1 - mean)) / (n + 1));
    for (const z of AROUND) ends.push(mean + z * deviation);
  }
  return [...new Set(ends.filter((x) => x >= 0 && x <= 1))].sort((a, b) => a - b);
}

/** Nodes in 0 to 1 and weights of Gauss and Legendre's rule with `n` points: roots of P_n by Newton's method. */
function gaussLegendre(n: number): [node: number, weight: number][] {
  return Array.from({ length: n }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 1;
    for (let step = 0; step < 100; step++) {
      let [before, at] = [1, x];
      for (let k = 2; k <= n; k++) [before, at] = [at, ((2 * k - 1) * x * at - (k - 1) * before) / k];
      slope = (n * (x * at - before)) / (x * x - 1);
      const move = at / slope;
      x -= move;
      if (Math.abs(move) < 1e-16) break;
    }
    return [(1 + x) / 2, 1 / ((1 - x * x) * slope * slope)];
  });
}

const NODES = gaussLegendre(10);
