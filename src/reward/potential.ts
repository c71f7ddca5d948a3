/**
 * Potential-based shaping (Ng, Harada and Russell, 1999): gamma * Phi(s') - Phi(s) of each step, with Phi = 0 after the last
 * one. Discounted by gamma^t, the values of a trajectory sum to -Phi(s_0), whatever it did.
 *
 * @param potentials - Phi before each step
 * @param gamma - discount, 0 to 1
 */
export function potentialShaping(potentials: readonly number[], gamma: number): number[] {
  return potentials.map((potential, t) => gamma * (potentials[t + 1] ?? 0) - potential);
}
