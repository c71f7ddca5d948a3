/**
 * Potential-based shaping of one trajectory: gamma Phi(s_{t+1}) - Phi(s_t) for every decision, with Phi = 0 after the last one.
 * Added to the step rewards it leaves the best policy as it is: the discounted sum is -Phi(s_0), whatever happened.
 *
 * Source: Ng, Harada and Russell, "Policy invariance under reward transformations" (1999); Phi(terminal) = 0: Grzes (2017).
 *
 * @param potentials - Phi of the state before each decision
 * @param gamma - the discount that returns are computed with; 0 to 1
 */
export function potentialShaping(potentials: readonly number[], gamma: number): number[] {
  return potentials.map((potential, t) => gamma * (potentials[t + 1] ?? 0) - potential);
}
