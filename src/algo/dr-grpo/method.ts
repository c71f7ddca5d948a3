import { weighTokens } from '../aggregation/weights.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { apart } from '../grpo/advantages.ts';
import type { GroupRewards, Method } from '../method.ts';
import { surrogateLoss } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { drGrpoAdvantages } from './advantages.ts';
import { drGrpoSchema, type DrGrpoConfig } from './schema.ts';

const advantages = (group: GroupRewards): number[] => apart(group, (valid) => drGrpoAdvantages(group.rewards, { valid }));

/**
 * Dr.GRPO: "GRPO done right", without the two biases of GRPO.
 *
 * A_i = R_i - mean, not divided by the deviation; the sum of all decisions' clipped surrogates divided by
 * N x constantLength (N trajectories), not by each trajectory's own length.
 * Source: Liu et al., arXiv 2503.20783.
 */
export const drGrpo: Method<DrGrpoConfig> = {
  name: 'dr-grpo',
  schema: drGrpoSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(advantages(group), config),
  roundAdvantages: (round, config) => assignCredit(round, config, { advantages }),
  scope: 'decision',
  weigh: (lengths, { constantLength }) => weighTokens(lengths, 'constant', constantLength),
  loss: surrogateLoss,
};
