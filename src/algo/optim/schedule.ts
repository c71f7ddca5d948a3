import type { AlgorithmConfig, OptimizerConfig } from '../config.ts';

/**
 * Learning rate of a round (0-based) of `rounds`: linear from `learningRate` at the first round to
 * `learningRate * finalLearningRate` at the last. Rounds past the end keep the last value.
 */
export function learningRateAt(
  round: number,
  rounds: number,
  { learningRate, finalLearningRate }: Pick<OptimizerConfig, 'learningRate' | 'finalLearningRate'>,
): number {
  return decayed(round, rounds, { first: learningRate, share: finalLearningRate });
}

/** Weight of the entropy bonus in a round (0-based) of `rounds`: linear from `entropy` to `entropy * finalEntropy`. */
export function entropyAt(
  round: number,
  rounds: number,
  { entropy, finalEntropy }: Pick<AlgorithmConfig, 'entropy' | 'finalEntropy'>,
): number {
  return decayed(round, rounds, { first: entropy, share: finalEntropy });
}

function decayed(round: number, rounds: number, { first, share }: { first: number; share: number }): number {
  const progress = rounds <= 1 ? 0 : Math.min(1, Math.max(0, round / (rounds - 1)));
  return first * (1 + (share - 1) * progress);
}
