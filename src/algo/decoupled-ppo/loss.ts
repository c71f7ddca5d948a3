import type { LossColumns, LossResult } from '../method.ts';
import type { KlConfig } from '../schema/fields.ts';
import { MAX_LOG_RATIO, type SurrogateOptions } from '../surrogate/clipped.ts';
import { required, surrogateLoss } from '../surrogate/loss.ts';

/**
 * Weights of decoupled PPO, one per decision: w = min(pi_proximal / pi_behaviour, cap), constants for differentiation. The
 * log-ratio is cut off at +-20.
 */
export function proximalWeights(proximal: ArrayLike<number>, behaviour: ArrayLike<number>, cap: number): Float64Array {
  return Float64Array.from(proximal, (logProb, d) =>
    Math.min(cap, Math.exp(Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, logProb - behaviour[d]!)))),
  );
}

/**
 * Loss of decoupled PPO, a weighted sum over decisions: w x clipped surrogate of pi_theta / pi_proximal, with
 * w = stopgrad(min(pi_proximal / pi_behaviour, cap)). The clip holds the policy near where the round began; the weight says what
 * the old actions are worth there.
 *
 * Statistics beside those of the surrogate (whose ratio is to the proximal policy): sums of weight x correctionWeight (w) and
 * cappedFraction.
 * Source: Hilton et al., "Batch size-invariance for policy optimization", arXiv 2110.00641; AReaL, arXiv 2505.24298.
 */
export function decoupledLoss(columns: LossColumns, options: SurrogateOptions & { cap: number; kl?: KlConfig }): LossResult {
  const { behaviour, advantages, weights } = columns;
  const proximal = required(columns.proximal, 'proximal');
  const w = proximalWeights(proximal, behaviour, options.cap);
  // w > 0, so w min(r A, clip(r) A) = min(r wA, clip(r) wA), the dual clip included.
  const result = surrogateLoss(
    { ...columns, behaviour: proximal, advantages: w.map((weight, d) => weight * advantages[d]!) },
    { clipLow: options.clipLow, clipHigh: options.clipHigh, dualClip: options.dualClip, kl: options.kl },
  );
  let mean = 0;
  let capped = 0;
  w.forEach((weight, d) => {
    mean += weights[d]! * weight;
    if (weight >= options.cap) capped += weights[d]!;
  });
  return { ...result, statistics: { ...result.statistics, correctionWeight: mean, cappedFraction: capped } };
}
