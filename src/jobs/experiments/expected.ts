import { inRange } from '../../algo/check.ts';
import { eValue } from '../../algo/stats/sequential.ts';

/** Success rates of the two arms, and alpha of the test. */
export interface ExpectedOptions {
  /** Of the champion: [0, 1]. */
  champion: number;
  /** Of the candidate: [0, 1]; another one. */
  candidate: number;
  /** Default 0.05. */
  alpha?: number;
}

/**
 * Pairs after which an experiment over successes and failures decides, about: the number at which E of the expected wins and losses reaches
 * 1/alpha. Half of the experiments need fewer. Infinity where the rates are equal.
 */
export function expectedPairs({ champion, candidate, alpha = 0.05 }: ExpectedOptions): number {
  inRange('champion', champion, { min: 0, max: 1 });
  inRange('candidate', candidate, { min: 0, max: 1 });
  inRange('alpha', alpha, { above: 0, max: 0.5 });
  if (champion === candidate) return Infinity;
  const [win, loss] = [candidate * (1 - champion), champion * (1 - candidate)];
  const reached = (pairs: number): boolean =>
    eValue({ wins: Math.round(pairs * win), losses: Math.round(pairs * loss) }) >= 1 / alpha;
  let high = 1;
  while (!reached(high) && high < MOST_PAIRS) high *= 2;
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (reached(middle)) high = middle;
    else low = middle;
  }
  return Math.ceil(high);
}

const MOST_PAIRS = 2 ** 30;
