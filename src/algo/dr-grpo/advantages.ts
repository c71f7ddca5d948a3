import { grpoAdvantages } from '../grpo/advantages.ts';

/**
 * Advantages of Dr.GRPO, one per trajectory of a group: R_i - mean over the valid members, not divided by anything. Degenerate
 * groups give 0 as for {@link grpoAdvantages}.
 *
 * Source: Liu et al., arXiv 2503.20783.
 */
export function drGrpoAdvantages(rewards: readonly number[], { valid }: { valid?: readonly boolean[] } = {}): number[] {
  return grpoAdvantages(rewards, { std: 'none', ...(valid && { valid }) });
}
