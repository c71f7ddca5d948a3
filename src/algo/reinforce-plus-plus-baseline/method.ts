import { weighTokens } from '../aggregation/weights.ts';
import { assignCredit } from '../credit/round.ts';
import { comparable, groupRelative } from '../grpo/advantages.ts';
import type { GroupRewards, Method } from '../method.ts';
import { whitenCentred } from '../reinforce-plus-plus/advantages.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { reinforcePlusPlusBaselineSchema, type ReinforcePlusPlusBaselineConfig } from './schema.ts';

const centred = (group: GroupRewards): number[] => groupRelative(group, 'none', 0);

/**
 * REINFORCE++-baseline: REINFORCE++ with each group's mean taken from its rewards first.
 *
 * A_i = (R_i - group mean), whitened over all trajectories of the round; `groupAdvantages` is the part before the whitening.
 * A group's only valid member gets 0 and is in no deviation; members of a group whose rewards are equal get exactly 0.
 * The clipped surrogate as loss.
 * Source: Hu et al., arXiv 2501.03262; verl, `compute_reinforce_plus_plus_baseline_outcome_advantage`.
 */
export const reinforcePlusPlusBaseline: Method<ReinforcePlusPlusBaselineConfig> = {
  name: 'reinforce-plus-plus-baseline',
  schema: reinforcePlusPlusBaselineSchema,
  needs: needsOf,
  groupAdvantages: centred,
  comparesRound: true,
  roundAdvantages: (round, config) =>
    assignCredit(round, config, {
      advantages: centred,
      together: (advantages, groups) => whitenCentred(advantages, groups.map(comparable)),
    }),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: surrogateLoss,
};
