import type { OptimizerConfig } from '../config.ts';

/**
 * Learning rate of a round (0-based) of `rounds`: linear from `learningRate` at the first round to
 * `learningRate * finalLearningRate` at the last. Rounds past the end keep the last value.
 */
export function learningRateAt(
  round: number,
  rounds: number,
  options: Pick<OptimizerConfig, 'learningRate' | 'finalLearningRate'>,
): number {
  const progress = rounds <= 1 ? 0 : Math.min(1, Math.max(0, round / (rounds - 1)));
  return options.learningRate * (1 + (options.finalLearningRate - 1) * progress);
}
