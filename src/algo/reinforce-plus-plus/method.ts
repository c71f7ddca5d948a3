import { weighTokens } from '../aggregation/weights.ts';
import { assignCredit } from '../credit/round.ts';
import type { Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { reinforcePlusPlusAdvantages } from './advantages.ts';
import { reinforcePlusPlusSchema, type ReinforcePlusPlusConfig } from './schema.ts';

/**
 * REINFORCE++: no baseline of the group, the batch's instead.
 *
 * A_i = (R_i - mean) / std over all trajectories of the round, each counting once however long it is; the clipped surrogate as
 * loss. With kl.estimator k1 the penalty is in the reward, as in the paper.
 * Source: Hu et al., arXiv 2501.03262; verl, `compute_reinforce_plus_plus_outcome_advantage`, which whitens over tokens.
 */
export const reinforcePlusPlus: Method<ReinforcePlusPlusConfig> = {
  name: 'reinforce-plus-plus',
  schema: reinforcePlusPlusSchema,
  needs: needsOf,
  teaches: () => true,
  roundAdvantages: (round, config) =>
    assignCredit(round, config, {
      advantages: ({ rewards }) => [...rewards],
      together: (rewards) => reinforcePlusPlusAdvantages(rewards, { valid: round.map(({ valid }) => valid) }),
    }),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: surrogateLoss,
};
