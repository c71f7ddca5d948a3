import type { LossColumns, LossResult } from '../method.ts';

/**
 * Negative log-likelihood of what was decided, -A log pi, decision by decision: A is 1 for what is to be imitated. Who decided, and how
 * probable it was to them, does not matter.
 */
export function likelihoodLoss({ logProbs, advantages, weights }: LossColumns): LossResult {
  const derivative = new Float64Array(logProbs.length);
  let loss = 0;
  for (let d = 0; d < derivative.length; d++) {
    const scale = weights[d]! * advantages[d]!;
    loss -= scale * logProbs[d]!;
    // Plus 0, so that a weight of 0 leaves no negative zero.
    derivative[d] = -scale + 0;
  }
  return { loss, derivative, statistics: {} };
}
