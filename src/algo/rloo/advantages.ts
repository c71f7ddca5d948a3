import { grpoAdvantages } from '../grpo/advantages.ts';

/**
 * Leave-one-out advantages, one per trajectory: R_i - mean of the others = G / (G - 1) (R_i - mean). Equal rewards, members that
 * do not count and lone ones: exactly 0, as for {@link grpoAdvantages}.
 *
 * Source: Ahmadian et al., arXiv 2402.14740.
 */
export function rlooAdvantages(rewards: readonly number[], { valid }: { valid?: readonly boolean[] } = {}): number[] {
  const counts = rewards.map((reward, i) => Number.isFinite(reward) && (valid?.[i] ?? valid === undefined));
  const n = counts.filter(Boolean).length;
  const centred = grpoAdvantages(rewards, { std: 'none', valid: counts });
  return n < 2 ? centred : centred.map((advantage) => (advantage * n) / (n - 1));
}
