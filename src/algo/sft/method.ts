import { weighTokens } from '../aggregation/weights.ts';
import { likelihoodLoss } from '../likelihood/loss.ts';
import type { GroupRewards, Method } from '../method.ts';
import { sftSchema, type SftConfig } from './schema.ts';

/**
 * Supervised fine-tuning: the policy imitates what the flow's rule does in each situation, with the loss -log pi of its decisions.
 *
 * The rule acts in training flows in place of the policy. Its flows are run and scored like any others; those that do not solve their task
 * are left out, unless `successes` is false.
 */
export const sft: Method<SftConfig> = {
  name: 'sft',
  schema: sftSchema,
  imitates: 'rule',
  needs: () => ({ values: false, proximal: false, reference: false }),
  teaches: (group, config) => demonstrations(group, config).some(Boolean),
  trainsOn: demonstrations,
  groupAdvantages: (group, config) => demonstrations(group, config).map(Number),
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss: likelihoodLoss,
};

function demonstrations({ valid, successful }: GroupRewards, { successes }: SftConfig): boolean[] {
  return valid.map((counts, i) => counts && (!successes || successful?.[i] === true));
}
