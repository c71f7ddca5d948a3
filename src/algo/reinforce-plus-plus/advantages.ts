import { whitenGroups, type WhitenOptions } from '../credit/whiten.ts';
import { comparable, grpoAdvantages } from '../grpo/advantages.ts';

/** Options of {@link reinforcePlusPlusAdvantages}. */
export interface ReinforcePlusPlusOptions extends Omit<WhitenOptions, 'valid'> {
  /** Whether each group's own mean is taken from its rewards first. Default false. */
  baseline?: boolean;
  /** Members that count, `[group][trajectory]`. Default: all with a finite reward. */
  valid?: readonly (readonly boolean[])[];
}

/**
 * Advantages of REINFORCE++ for a whole batch, `[group][trajectory]` like the rewards: (R - mean) / (std + epsilon) over all
 * trajectories, each counting once; with `baseline` each group's own mean is taken from its rewards first.
 *
 * Members that do not count (`valid` false, or a reward that is not finite) get 0; so does everyone where all are equal. With
 * `baseline` a group's only member has nobody to be compared with: it gets 0 and is in no mean or deviation. Members of a group
 * whose rewards are equal get exactly 0, and are in the deviation.
 * Source: Hu et al., arXiv 2501.03262.
 */
export function reinforcePlusPlusAdvantages(
  rewards: readonly (readonly number[])[],
  { baseline = false, valid, ...options }: ReinforcePlusPlusOptions = {},
): number[][] {
  const counts = rewards.map((group, g) =>
    group.map((reward, i) => Number.isFinite(reward) && (valid?.[g]?.[i] ?? valid === undefined)),
  );
  if (!baseline) return whitenGroups(rewards, counts, options);
  const { tolerance } = options;
  const centred = rewards.map((group, g) =>
    grpoAdvantages(group, { std: 'none', valid: counts[g]!, ...(tolerance !== undefined && { tolerance }) }),
  );
  const compared = rewards.map((group, g) => comparable({ rewards: [...group], valid: counts[g]! }));
  return whitenCentred(centred, compared, options);
}

/**
 * Whitens differences to the groups' means, `[group][trajectory]`. What is 0 stays exactly 0: the mean of such differences is 0
 * but for rounding.
 */
export function whitenCentred(
  centred: readonly (readonly number[])[],
  compared: readonly (readonly boolean[])[],
  options: Omit<WhitenOptions, 'valid'> = {},
): number[][] {
  const whitened = whitenGroups(centred, compared, options);
  return whitened.map((group, g) => group.map((value, i) => (centred[g]![i] === 0 ? 0 : value)));
}
