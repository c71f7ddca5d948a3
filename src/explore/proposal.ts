/**
 * Proposals: what is sampled from instead of the policy, as probabilities of all open actions. All take and give distributions,
 * so whatever they are put together from, the probability of the action drawn is known exactly.
 */

/** Probabilities from log-probabilities. */
export function probabilities(logProbabilities: ArrayLike<number>): Float64Array {
  return Float64Array.from(logProbabilities, Math.exp);
}

/** (1 − epsilon) · policy + epsilon · uniform. */
export function mixUniform(policy: ArrayLike<number>, epsilon: number): Float64Array {
  const n = policy.length;
  return Float64Array.from(policy, (p) => (1 - epsilon) * p + epsilon / n);
}

/**
 * (1 − share) · policy + share · P(tool) · policy(action | tool): the tool is drawn from `byTool`, its arguments by the policy.
 * Within a tool that the policy gives no probability at all the arguments are uniform.
 *
 * @param tools tool of each action
 * @param byTool probabilities of the tools that `tools` names; they sum to 1
 */
export function mixTools(
  policy: ArrayLike<number>,
  tools: readonly number[],
  byTool: ReadonlyMap<number, number>,
  share: number,
): Float64Array {
  const mass = new Map<number, number>();
  const actions = new Map<number, number>();
  for (const [i, tool] of tools.entries()) {
    mass.set(tool, (mass.get(tool) ?? 0) + policy[i]!);
    actions.set(tool, (actions.get(tool) ?? 0) + 1);
  }
  return Float64Array.from(policy, (p, i) => {
    const tool = tools[i]!;
    const within = mass.get(tool)! > 0 ? p / mass.get(tool)! : 1 / actions.get(tool)!;
    return (1 - share) * p + share * (byTool.get(tool) ?? 0) * within;
  });
}

/** The policy with some actions `nats` less likely, normalised again. */
export function penalise(policy: ArrayLike<number>, actions: ReadonlySet<number>, nats: number): Float64Array {
  const scaled = Float64Array.from(policy, (p, i) => (actions.has(i) ? p * Math.exp(-nats) : p));
  const total = scaled.reduce((sum, p) => sum + p, 0);
  return total > 0 ? scaled.map((p) => p / total) : Float64Array.from(policy);
}
