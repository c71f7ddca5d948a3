import { wilson } from '../algo/stats/wilson.ts';

/** Discounted outcomes of which a Beta posterior with a uniform prior is made: Beta(1 + good, 1 + bad). */
export interface Outcomes {
  good: number;
  bad: number;
}

/** Mean of the posterior: (1 + good) / (2 + good + bad). */
export function posteriorMean({ good, bad }: Outcomes): number {
  return (1 + good) / (2 + good + bad);
}

/** Confidence bounds of the success probability (Wilson score interval), `z` being the normal quantile. */
export function bounds({ good, bad }: Outcomes, z: number): [lower: number, upper: number] {
  return wilson(good, good + bad, z);
}
