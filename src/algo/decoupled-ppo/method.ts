import { weighTokens } from '../aggregation/weights.ts';
import { criticAdvantages } from '../credit/critic-round.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { divisorOf, groupRelative } from '../grpo/advantages.ts';
import type { Method, RoundAdvantages, RoundGroup } from '../method.ts';
import { needsOf } from '../surrogate/needs.ts';
import { decoupledLoss } from './loss.ts';
import { decoupledPpoSchema, type DecoupledPpoConfig } from './schema.ts';

/**
 * Decoupled PPO, for experience that is several versions old: the clip is around the policy at the start of the round, the
 * importance weight is to the policy that acted.
 *
 * loss = stopgrad(min(pi_proximal / pi_behaviour, cap)) x -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A), r = pi_theta /
 * pi_proximal. Advantages are those of GRPO, or with a section `value` those of PPO.
 * Source: Hilton et al., arXiv 2110.00641; AReaL, arXiv 2505.24298.
 */
export const decoupledPpo: Method<DecoupledPpoConfig> = {
  name: 'decoupled-ppo',
  schema: decoupledPpoSchema,
  needs: (config) => ({ ...needsOf(config), proximal: true, values: config.value !== undefined }),
  teaches: (_, { value }) => (value === undefined ? undefined : true),
  // With a value head these only say which of a group's trajectories did better.
  groupAdvantages: (group, config) => positivePart(groupRelative(group, config.std, config.epsilon), config),
  roundAdvantages,
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: decoupledLoss,
};

function roundAdvantages(round: readonly RoundGroup[], config: DecoupledPpoConfig): RoundAdvantages | undefined {
  const { value, kl, credit, whiten, positiveOnly, std, epsilon } = config;
  if (value !== undefined) return criticAdvantages(round, { value, kl, whiten, positiveOnly });
  return assignCredit(
    round,
    { kl, credit, positiveOnly },
    {
      advantages: (group) => groupRelative(group, std, epsilon),
      ...(std !== 'none' && { scale: (group) => divisorOf(group, std, epsilon) }),
    },
  );
}
