import { keyOf, type Space } from './space.ts';
import type { TrialScore } from './trial-score.ts';

/**
 * By fidelity, what a trial gains on the average from there to the end: summed over the rungs in between, the mean difference
 * of the trials that were measured at both. 0 where no trial was.
 */
export function rungGains(space: Space, observations: readonly TrialScore[]): Map<number, number> {
  const rungs = [...new Set(observations.map(({ fidelity }) => fidelity))].sort((a, b) => b - a);
  const scores = rungs.map(
    (rung) =>
      new Map(observations.filter(({ fidelity }) => fidelity === rung).map(({ values, score }) => [keyOf(space, values), score])),
  );
  const gains = new Map<number, number>();
  let gain = 0;
  for (const [i, rung] of rungs.entries()) {
    if (i > 0) {
      const later = scores[i - 1]!;
      const both = [...scores[i]!].filter(([key]) => later.has(key));
      if (both.length > 0) gain += both.reduce((sum, [key, score]) => sum + later.get(key)! - score, 0) / both.length;
    }
    gains.set(rung, gain);
  }
  return gains;
}
