import { weighTokens } from '../aggregation/weights.ts';
import { criticAdvantages } from '../credit/critic-round.ts';
import type { Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { ppoSchema, type PpoConfig } from './schema.ts';

/**
 * PPO with a value head.
 *
 * Advantages by generalised advantage estimation, delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lambda A_{t+1}, from
 * the rewards of single decisions, whitened over the round's decisions; loss -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A) +
 * value.coefficient x 1/2 (V - target)^2 with the targets A_t + V_t. The value loss may be clipped (value.clip).
 * Source: Schulman et al., arXiv 1707.06347 and 1506.02438.
 */
export const ppo: Method<PpoConfig> = {
  name: 'ppo',
  schema: ppoSchema,
  needs: (config) => ({ ...needsOf(config), values: true }),
  teaches: () => true,
  roundAdvantages: criticAdvantages,
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: surrogateLoss,
};
