/** Step size and discount of {@link updateValues}. */
export interface ValueStep {
  /** In (0, 1]. */
  rate: number;
  /** In [0, 1]. */
  discount: number;
}

/**
 * SARSA along one trajectory: Q(b, t) += rate · (r + discount · Q(b′, t′) − Q(b, t)), the last step without a successor.
 * `path` holds the value of each step's (state bucket, tool), in order; one that comes twice is one object. Changes `path`.
 * Source: G. Rummery and M. Niranjan, On-line Q-learning using connectionist systems (1994).
 */
export function updateValues(
  path: readonly { value: number }[],
  rewardOf: (step: number) => number,
  { rate, discount }: ValueStep,
): void {
  for (const [t, arm] of path.entries()) {
    const next = path[t + 1]?.value ?? 0;
    arm.value += rate * (rewardOf(t) + discount * next - arm.value);
  }
}
