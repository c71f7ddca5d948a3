import { MAX_LOG_RATIO } from '../surrogate/clipped.ts';

/** Options of {@link correctionWeights}. */
export interface CorrectionOptions {
  /** none: every weight is 1. truncate: min(w, cap). mask: 1 within [low, high], else 0. Default truncate. */
  kind?: 'none' | 'truncate' | 'mask';
  /** decision: each decision's own ratio. trajectory: the product over the trajectory, the same weight for all its decisions. Default decision. */
  level?: 'decision' | 'trajectory';
  /** Largest weight of `truncate`; > 0. Default 2 for decisions, 5 for trajectories. */
  cap?: number | undefined;
  /** Smallest ratio that `mask` keeps. Default 0.5. */
  low?: number | undefined;
  /** Largest ratio that `mask` keeps. Default 2. */
  high?: number | undefined;
}

/**
 * Weights that correct for the policy having moved between acting and the start of the round, one per decision of ONE
 * trajectory: w = pi_proximal / pi_behaviour from log-probabilities, the log-ratio cut off at +-20. They are constants for
 * differentiation.
 *
 * Source: truncated importance sampling, Ionides (2008); Espeholt et al., arXiv 1802.01561; masks as in the rollout
 * correction of verl (`verl/trainer/ppo/core_algos.py`).
 */
export function correctionWeights(
  proximal: ArrayLike<number>,
  behaviour: ArrayLike<number>,
  { kind = 'truncate', level = 'decision', cap = level === 'decision' ? 2 : 5, low = 0.5, high = 2 }: CorrectionOptions,
): number[] {
  const logs = Array.from(proximal, (logProb, t) => logProb - behaviour[t]!);
  if (kind === 'none') return logs.map(() => 1);
  const whole = logs.reduce((sum, log) => sum + log, 0);
  return logs.map((own) => {
    const log = level === 'decision' ? own : whole;
    const ratio = Math.exp(Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, log)));
    if (kind === 'truncate') return Math.min(ratio, cap);
    return ratio >= low && ratio <= high ? 1 : 0;
  });
}
