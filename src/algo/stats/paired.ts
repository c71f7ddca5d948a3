import type { Random } from '../../random/random.ts';
import { finite, inRange } from '../check.ts';
import { betaCdf } from './beta.ts';
import type { Discordant } from './sequential.ts';

/**
 * Exact two-sided p-value of McNemar's test: how likely wins and losses that differ at least so much are where each is equally
 * likely. For a number of tasks that was fixed beforehand and is tested once; otherwise {@link sequentialTest}. No differences: 1.
 */
export function mcNemar({ wins, losses }: Discordant): number {
  inRange('wins', wins, { min: 0, whole: true });
  inRange('losses', losses, { min: 0, whole: true });
  const [n, most] = [wins + losses, Math.max(wins, losses)];
  if (wins === losses) return 1;
  // P(X >= most) of Binomial(n, 1/2).
  return Math.min(1, 2 * betaCdf(0.5, most, n - most + 1));
}

/** Differences up to which {@link signFlip} goes through all signs. */
const EXACT_UP_TO = 14;
const DRAWS = 9999;

/**
 * Two-sided p-value of the sign-flip test: how likely a mean at least so far from 0 is where each difference might as well have the
 * other sign. For means that are no rates, such as rewards and steps; one difference a task, candidate - baseline, of a fixed
 * number of tasks. Up to 14 differences that are not 0 exact, above that of 9,999 random assignments of signs. None: 1.
 */
export function signFlip(differences: ArrayLike<number>, random: Random): number {
  finite({ differences });
  const values = Array.from(differences).filter((value) => value !== 0);
  if (values.length === 0) return 1;
  const size = values.reduce((sum, value) => sum + Math.abs(value), 0);
  // What is equal but for rounding is as far.
  const far = Math.abs(values.reduce((sum, value) => sum + value, 0)) - 1e-12 * size;
  if (values.length > EXACT_UP_TO) return (1 + countFar(DRAWS, values, far, () => random.uniform() < 0.5)) / (1 + DRAWS);
  const all = 2 ** values.length;
  return countFar(all, values, far, (i, draw) => (draw & (1 << i)) !== 0) / all;
}

function countFar(draws: number, values: readonly number[], far: number, flips: (i: number, draw: number) => boolean): number {
  let count = 0;
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += flips(i, draw) ? -values[i]! : values[i]!;
    if (Math.abs(sum) >= far) count += 1;
  }
  return count;
}
