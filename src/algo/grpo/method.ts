import { weighTokens } from '../aggregation/weights.ts';
import { assignCredit } from '../credit/round.ts';
import type { Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { divisorOf, groupRelative } from './advantages.ts';
import { grpoSchema, type GrpoConfig } from './schema.ts';
import { positivePart } from '../credit/positive.ts';

/**
 * GRPO: group-relative policy optimisation.
 *
 * A_i = (R_i - mean) / (std + epsilon) over the group; loss -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A) for each decision,
 * r = pi_theta / pi_behaviour, plus kl.coefficient x KL estimate to a reference policy.
 * Source: DeepSeekMath, arXiv 2402.03300; TRL, `trl/trainer/grpo_trainer.py`.
 */
export const grpo: Method<GrpoConfig> = {
  name: 'grpo',
  schema: grpoSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(groupRelative(group, config.std, config.epsilon), config),
  roundAdvantages: (round, config) =>
    assignCredit(round, config, {
      advantages: (group) => groupRelative(group, config.std, config.epsilon),
      ...(config.std !== 'none' && { scale: (group) => divisorOf(group, config.std, config.epsilon) }),
    }),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: surrogateLoss,
};
