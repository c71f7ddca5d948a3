import { weighTokens } from '../aggregation/weights.ts';
import { likelihoodLoss } from '../likelihood/loss.ts';
import type { GroupRewards, Method } from '../method.ts';
import { rejectionSchema, type RejectionConfig } from './schema.ts';

/**
 * Rejection sampling fine-tuning: the policy imitates those of its own trajectories that succeeded.
 *
 * A_i = 1 for a success, whatever its reward, and the loss is -log pi of its tokens. All other trajectories are left out, their share of
 * the weights included; so are groups in which nobody succeeded.
 * Source: Yuan et al., arXiv 2308.01825.
 */
export const rejection: Method<RejectionConfig> = {
  name: 'rejection',
  schema: rejectionSchema,
  needs: () => ({ values: false, proximal: false, reference: false }),
  teaches: (group) => succeeded(group).some(Boolean),
  trainsOn: succeeded,
  groupAdvantages: (group) => succeeded(group).map(Number),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: likelihoodLoss,
};

function succeeded({ valid, successful }: GroupRewards): boolean[] {
  return valid.map((counts, i) => counts && successful?.[i] === true);
}
