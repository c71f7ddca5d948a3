import { weighTokens } from '../aggregation/weights.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { divisorOf, groupRelative } from '../grpo/advantages.ts';
import type { Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { dapoSchema, type DapoConfig } from './schema.ts';

/**
 * DAPO: GRPO with a wider clip above ("clip higher", 0.2 and 0.28), every decision of the round weighing the same, no KL penalty,
 * and dynamic sampling: only groups whose rewards differ count, and a round is drawn again until it has enough of them, at
 * most `refill.draws` times.
 *
 * A_i = (R_i - mean) / (std + epsilon); loss = sum over all decisions of -min(r A, clip(r, 0.8, 1.28) A) / number of decisions.
 * Source: Yu et al., arXiv 2503.14476.
 */
export const dapo: Method<DapoConfig> = {
  name: 'dapo',
  schema: dapoSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(groupRelative(group, config.std, config.epsilon), config),
  roundAdvantages: (round, config) =>
    assignCredit(round, config, {
      advantages: (group) => groupRelative(group, config.std, config.epsilon),
      ...(config.std !== 'none' && { scale: (group) => divisorOf(group, config.std, config.epsilon) }),
    }),
  scope: 'decision',
  weigh: (lengths, { aggregation }) => weighTokens(lengths, aggregation),
  loss: surrogateLoss,
};
