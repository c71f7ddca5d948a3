import type { Aggregation } from '../config.ts';

/**
 * Weight of every decision of trajectories with `lengths` decisions each, trajectory after trajectory.
 *
 * 'trajectory': 1/T_i, so that each trajectory weighs 1 in total; 'decision': 1. Losses and gradients are summed with these
 * weights and divided once by the sum of all weights, over all learners; a mean of means depends on how the batch is cut.
 * Source: Flow-GRPO (arXiv 2510.05592) for 1/T_i; DAPO (arXiv 2503.14476) for the mean over decisions.
 */
export function decisionWeights(lengths: readonly number[], aggregation: Aggregation): Float64Array {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const weights = new Float64Array(total);
  let position = 0;
  for (const length of lengths) {
    weights.fill(aggregation === 'trajectory' ? 1 / length : 1, position, position + length);
    position += length;
  }
  return weights;
}
