import { describe, expect, it } from 'vitest';
import { klEstimate, type KlEstimator } from './estimators.ts';

const THETA = [0.3, -0.2, 0.5];
const REFERENCE = [0, 0.4, -0.3];
const logSoftmax = (logits: number[]): number[] => {
  const normalizer = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - normalizer);
};
const policy = logSoftmax(THETA);
const reference = logSoftmax(REFERENCE);
const probabilities = policy.map(Math.exp);

/** Expectation over the policy of the value, and of derivative x grad log p. */
function expectation(estimator: KlEstimator): { value: number; gradient: number[] } {
  const { value, derivative } = klEstimate(policy, reference, estimator);
  const mean = probabilities.reduce((sum, p, action) => sum + p * value[action]!, 0);
  const gradient = THETA.map((_, j) =>
    probabilities.reduce((sum, p, action) => sum + p * derivative[action]! * ((action === j ? 1 : 0) - probabilities[j]!), 0),
  );
  return { value: mean, gradient };
}

describe('klEstimate', () => {
  it('estimates the divergence with k1 and k3', () => {
    expect(expectation('k1').value).toBeCloseTo(0.15667651, 8);
    expect(expectation('k3').value).toBeCloseTo(0.15667651, 8);
  });

  it.each<[KlEstimator, number[]]>([
    ['k1', [0, 0, 0]],
    ['k2', [-0.008106, -0.197947, 0.206053]],
    ['k3', [0.044271, -0.247009, 0.202739]],
  ])('has the expected gradient with %s', (estimator, golden) => {
    expectation(estimator).gradient.forEach((value, index) => expect(value).toBeCloseTo(golden[index]!, 6));
  });
});
