/**
 * How tokens are weighed against each other; a planner's decision is one token long. trajectory: each trajectory weighs 1, each of its
 * T tokens 1/T. decision: each decision weighs 1, each of its tokens the same. token: each token weighs 1. constant: each token
 * weighs 1/L, and the sum is divided by the number of trajectories.
 */
export type Aggregation = 'trajectory' | 'decision' | 'token' | 'constant';

/** Weights, and what sums over several learners are divided by. */
export interface Weights {
  /** One per token, trajectory after trajectory. */
  weights: Float64Array;
  total: number;
}

/**
 * Weight of every token of decisions with `lengths` tokens each, `[group][trajectory][decision]`.
 *
 * With T_i tokens in trajectory i and n_d in decision d: 'trajectory' 1/T_i; 'decision' 1/n_d; 'token' 1; 'constant'
 * 1/constantLength. Losses and gradients are summed with these weights and divided once, over all learners, by `total`: the sum of
 * the weights; with 'constant' the number of trajectories. A mean of means depends on how the batch is cut. A trajectory without
 * tokens counts in none of them: there is nothing of it to train.
 * Source: GRPO (arXiv 2402.03300) for 1/T_i; DAPO (arXiv 2503.14476) for the mean over tokens; Dr.GRPO (arXiv 2503.20783) for
 * the constant.
 *
 * @param constantLength - L of 'constant'; > 0. Default 1.
 */
export function weighTokens(
  lengths: readonly (readonly (readonly number[])[])[],
  aggregation: Aggregation,
  constantLength = 1,
): Weights {
  const weights = tokenWeights(lengths.flat(), (length, tokens) => {
    if (aggregation === 'trajectory') return 1 / tokens;
    if (aggregation === 'decision') return 1 / length;
    return aggregation === 'token' ? 1 : 1 / constantLength;
  });
  if (aggregation !== 'constant') return { weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
  return { weights, total: lengths.flat().filter((trajectory) => tokensOf(trajectory) > 0).length };
}

/**
 * Weights of Flow-GRPO: each trajectory weighs 1, each of its D_i decisions 1/D_i of that, each of a decision's n_d tokens 1/n_d of
 * that. Source: arXiv 2510.05592.
 */
export function weighTurns(lengths: readonly (readonly (readonly number[])[])[]): Weights {
  const weights = tokenWeights(lengths.flat(), (length, _, decisions) => 1 / (decisions * length));
  return { weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
}

/** {@link weighTokens} of trajectories with `lengths` decisions of one token each. */
export function decisionWeights(lengths: readonly number[], aggregation: Aggregation, constantLength = 1): Float64Array {
  return weighDecisions([lengths], aggregation, constantLength).weights;
}

/** {@link weighTokens} of decisions of one token each; `lengths` are `[group][trajectory]`. */
export function weighDecisions(lengths: readonly (readonly number[])[], aggregation: Aggregation, constantLength = 1): Weights {
  const single = lengths.map((group) => group.map((decisions) => new Array<number>(decisions).fill(1)));
  return weighTokens(single, aggregation, constantLength);
}

function tokenWeights(
  trajectories: readonly (readonly number[])[],
  weightOf: (length: number, tokens: number, decisions: number) => number,
): Float64Array {
  const weights = new Float64Array(trajectories.reduce((sum, trajectory) => sum + tokensOf(trajectory), 0));
  let position = 0;
  for (const trajectory of trajectories) {
    const tokens = tokensOf(trajectory);
    for (const length of trajectory) {
      weights.fill(weightOf(length, tokens, trajectory.length), position, position + length);
      position += length;
    }
  }
  return weights;
}

function tokensOf(trajectory: readonly number[]): number {
  return trajectory.reduce((sum, length) => sum + length, 0);
}
