import { weighTokens } from '../aggregation/weights.ts';
import { positivePart } from '../credit/positive.ts';
import { assignCredit } from '../credit/round.ts';
import { groupRelative } from '../grpo/advantages.ts';
import type { LossColumns, LossResult, Method } from '../method.ts';
import { addPenalty, required } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { gspoSchema, type GspoConfig } from './schema.ts';
import { sequenceSurrogate } from './surrogate.ts';

/**
 * GSPO: the ratio, the clip and the weight are those of whole trajectories.
 *
 * s_i = exp(1/T_i sum_t log(pi_theta / pi_behaviour)); loss mean_i -min(s_i A_i, clip(s_i, 1 - 3e-4, 1 + 4e-4) A_i) with GRPO's
 * advantages; the gradient goes through the mean log-ratio.
 * Source: Zheng et al., arXiv 2507.18071.
 */
export const gspo: Method<GspoConfig> = {
  name: 'gspo',
  schema: gspoSchema,
  needs: needsOf,
  groupAdvantages: (group, config) => positivePart(groupRelative(group, config.std, config.epsilon), config),
  roundAdvantages: (round, config) =>
    assignCredit(round, config, { advantages: (group) => groupRelative(group, config.std, config.epsilon) }),
  scope: 'group',
  weigh: (lengths) => weighTokens(lengths, 'trajectory'),
  loss,
};

/** Statistics: sums of weight x sequenceRatio, ratioDeviation (its distance from 1), clipFraction, kl (k3, decision by decision). */
function loss(columns: LossColumns, config: GspoConfig): LossResult {
  const { logProbs, weights, advantages } = columns;
  const old = config.correction.kind === 'none' ? columns.behaviour : required(columns.proximal, 'proximal');
  const start = required(columns.trajectoryStart, 'trajectoryStart');
  const first = Array.from({ length: Math.max(0, start.length - 1) }, (_, i) => advantages[start[i]!] ?? 0);
  const {
    loss: losses,
    derivative,
    ratio,
    clipped,
  } = sequenceSurrogate({ logProbs, oldLogProbs: old, start, advantages: first }, config);
  const statistics: Record<string, number> = { kl: 0, clipFraction: 0, ratio: 0, sequenceRatio: 0, ratioDeviation: 0 };
  let sum = 0;
  for (let i = 0; i < first.length; i++) {
    let weight = 0;
    for (let d = start[i]!; d < start[i + 1]!; d++) {
      weight += weights[d]!;
      const own = Math.exp(Math.min(20, Math.max(-20, logProbs[d]! - old[d]!)));
      statistics['ratio']! += weights[d]! * own;
      statistics['kl']! += weights[d]! * (own - 1 - Math.log(own));
    }
    for (let d = start[i]!; d < start[i + 1]!; d++) derivative[d]! *= weight;
    sum += weight * losses[i]!;
    statistics['clipFraction']! += weight * clipped[i]!;
    statistics['sequenceRatio']! += weight * ratio[i]!;
    statistics['ratioDeviation']! += weight * Math.abs(ratio[i]! - 1);
  }
  return { loss: sum + addPenalty(columns, config.kl, derivative, statistics), derivative, statistics };
}
