import { weighTurns } from '../aggregation/weights.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { groupRelative } from '../grpo/advantages.ts';
import type { Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { flowGrpoSchema, type FlowGrpoConfig } from './schema.ts';

/**
 * Flow-GRPO: one verifiable reward at the end of a flow, given to every decision of its planner.
 *
 * A_i = (R_i - mean) / (std + epsilon), the same for all decisions of trajectory i; the loss is
 * 1/G sum_i 1/T_i sum_t -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A) + kl.coefficient x KL. A decision of several tokens
 * is the mean over them (1/|a_t|); a planner's is one. AgentFlow trains with clipHigh 0.3, and a KL coefficient of 0.001 (k3);
 * ours is 0 by default, since a planner that begins untrained has nothing to keep.
 * Source: AgentFlow, arXiv 2510.05592.
 */
export const flowGrpo: Method<FlowGrpoConfig> = {
  name: 'flow-grpo',
  schema: flowGrpoSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(groupRelative(group, config.std, config.epsilon), config),
  roundAdvantages: (round, config) =>
    assignCredit(round, config, { advantages: (group) => groupRelative(group, config.std, config.epsilon) }),
  scope: 'decision',
  weigh: weighTurns,
  loss: surrogateLoss,
};
