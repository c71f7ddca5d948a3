/** Name of an estimator of KL(policy || reference) from samples of the policy. */
export type KlEstimator = 'k1' | 'k2' | 'k3';

/** k3 is constant at log-ratios beyond this. */
const MAX_LOG_RATIO = 20;

/**
 * Per-decision estimate of KL(policy || reference) and its derivative with respect to the policy's log-probability.
 *
 * With k1 = logProb - reference: k1; k2 = k1^2 / 2; k3 = exp(d) - d - 1 with d = -k1 cut off at +-20, beyond which it is
 * constant. In expectation under the policy k1 and k3 equal
 * the divergence, but as penalties their gradients differ: that of k1 vanishes, that of k2 is the gradient of
 * KL(policy || reference), that of k3 the gradient of KL(reference || policy).
 * Source: J. Schulman, "Approximating KL divergence" (2020).
 */
export function klEstimate(
  logProbs: ArrayLike<number>,
  referenceLogProbs: ArrayLike<number>,
  estimator: KlEstimator,
): { value: Float64Array; derivative: Float64Array } {
  const n = logProbs.length;
  const value = new Float64Array(n);
  const derivative = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const k1 = logProbs[i]! - referenceLogProbs[i]!;
    if (estimator === 'k1') {
      value[i] = k1;
      derivative[i] = 1;
    } else if (estimator === 'k2') {
      value[i] = 0.5 * k1 * k1;
      derivative[i] = k1;
    } else {
      const d = Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, -k1));
      const inverse = Math.exp(d);
      value[i] = inverse - d - 1;
      derivative[i] = d === -k1 ? 1 - inverse : 0;
    }
  }
  return { value, derivative };
}

/** Whether a penalty with this estimator is part of the loss: k1 is not, its expected gradient there is 0. */
export function klInLoss(estimator: KlEstimator): boolean {
  return estimator !== 'k1';
}
