import { weighTokens } from '../aggregation/weights.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { apart } from '../grpo/advantages.ts';
import type { GroupRewards, Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { rlooAdvantages } from './advantages.ts';
import { rlooSchema, type RlooConfig } from './schema.ts';

const advantages = (group: GroupRewards): number[] => apart(group, (valid) => rlooAdvantages(group.rewards, { valid }));

/**
 * RLOO: REINFORCE with the mean of the others as the baseline.
 *
 * A_i = R_i - mean_{j != i} R_j = G / (G - 1) (R_i - mean), an unbiased estimate. The loss is GRPO's clipped surrogate, which
 * at the policy that acted has the gradient of REINFORCE.
 * Source: Ahmadian et al., arXiv 2402.14740; TRL, `trl/trainer/rloo_trainer.py`.
 */
export const rloo: Method<RlooConfig> = {
  name: 'rloo',
  schema: rlooSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(advantages(group), config),
  roundAdvantages: (round, config) => assignCredit(round, config, { advantages }),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: surrogateLoss,
};
