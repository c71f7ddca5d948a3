import { whitenGroups } from '../credit/whiten.ts';
import { grpoAdvantages } from '../grpo/advantages.ts';

/**
 * Advantages of REINFORCE++ for a whole batch, `[group][trajectory]` like the rewards: (R - mean) / (std + 1e-8) over all
 * trajectories, each counting once; with `baseline` each group's own mean is taken from its rewards first.
 *
 * Members that do not count (`valid` false, or a reward that is not finite) get 0; so does everyone where all are equal.
 * Source: Hu et al., arXiv 2501.03262.
 */
export function reinforcePlusPlusAdvantages(
  rewards: readonly (readonly number[])[],
  { baseline = false, valid }: { baseline?: boolean; valid?: readonly (readonly boolean[])[] } = {},
): number[][] {
  const counts = rewards.map((group, g) => group.map((reward, i) => Number.isFinite(reward) && (valid?.[g]?.[i] ?? true)));
  const centred = baseline ? rewards.map((group, g) => grpoAdvantages(group, { std: 'none', valid: counts[g]! })) : rewards;
  return whitenGroups(centred, counts);
}
