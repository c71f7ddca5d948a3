/**
 * How decisions are weighed against each other. trajectory: each trajectory weighs 1, each of its decisions 1/T. decision: each
 * decision weighs 1. constant: each decision weighs 1 / L, and the sum is divided by the number of trajectories.
 */
export type Aggregation = 'trajectory' | 'decision' | 'constant';

/**
 * Weight of every decision of trajectories with `lengths` decisions each, trajectory after trajectory.
 *
 * 'trajectory': 1/T_i, so that each trajectory weighs 1 in total; 'decision': 1; 'constant': 1/constantLength. Losses and
 * gradients are summed with these weights and divided once by {@link weighDecisions}'s total, over all learners; a mean of
 * means depends on how the batch is cut.
 * Source: Flow-GRPO (arXiv 2510.05592) for 1/T_i; DAPO (arXiv 2503.14476) for the mean over decisions; Dr.GRPO
 * (arXiv 2503.20783) for the constant.
 *
 * @param constantLength - L of 'constant'; > 0. Default 1.
 */
export function decisionWeights(lengths: readonly number[], aggregation: Aggregation, constantLength = 1): Float64Array {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const weights = new Float64Array(total);
  let position = 0;
  for (const length of lengths) {
    weights.fill(weightIn(length, aggregation, constantLength), position, position + length);
    position += length;
  }
  return weights;
}

/**
 * Weights, and what sums over several learners are divided by: their sum; with 'constant' the number of trajectories. A trajectory
 * without decisions counts in none of them: there is nothing of it to train.
 */
export function weighDecisions(
  lengths: readonly (readonly number[])[],
  aggregation: Aggregation,
  constantLength = 1,
): { weights: Float64Array; total: number } {
  const flat = lengths.flat();
  const weights = decisionWeights(flat, aggregation, constantLength);
  if (aggregation === 'constant') return { weights, total: flat.filter((length) => length > 0).length };
  return { weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
}

function weightIn(length: number, aggregation: Aggregation, constantLength: number): number {
  switch (aggregation) {
    case 'trajectory':
      return 1 / length;
    case 'decision':
      return 1;
    case 'constant':
      return 1 / constantLength;
  }
}
