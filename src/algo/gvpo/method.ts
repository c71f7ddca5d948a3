import { grpoAdvantages } from '../grpo/advantages.ts';
import type { LossColumns, LossResult, Method } from '../method.ts';
import { required } from '../surrogate/loss.ts';
import { gvpoLoss } from './loss.ts';
import { gvpoSchema, type GvpoConfig } from './schema.ts';

/**
 * GVPO: a regression of the policy's implied rewards on the real ones, group by group.
 *
 * R_theta,i = beta sum_t log(pi_theta / pi_start); L = 1/(G - 1) sum_i 1/2 [(R_theta,i - mean) - (R_i - mean)]^2, a mean over
 * groups. No deviation, clip, ratio or KL term; groups are never cut. The advantages (R_i - mean) say only which groups teach.
 * A member that failed is in no sum: its group is that of the others, and needs two of them.
 * Members sampled with forced exploration stay with the others: the optimum does not depend on who sampled.
 * Source: Zhang et al., arXiv 2504.19599; code: jszkc/GVPO.
 */
export const gvpo: Method<GvpoConfig> = {
  name: 'gvpo',
  schema: gvpoSchema,
  needs: () => ({ values: false, proximal: true, reference: false }),
  groupAdvantages: ({ rewards, valid }) => grpoAdvantages(rewards, { std: 'none', valid }),
  scope: 'group',
  weigh,
  loss,
};

/** Every group weighs 1, every trajectory of it the same, every token of that the same. */
function weigh(lengths: readonly (readonly (readonly number[])[])[]): { weights: Float64Array; total: number } {
  const weights = lengths.flatMap((group) =>
    group.flatMap((trajectory) => {
      const tokens = trajectory.reduce((sum, length) => sum + length, 0);
      return new Array<number>(tokens).fill(1 / (group.length * tokens));
    }),
  );
  return { weights: Float64Array.from(weights), total: lengths.length };
}

/** Statistics: sums over groups of ratio (of single decisions, a mean), ratioDeviation, kl (k3), impliedReward (mean |R_theta|). */
function loss(columns: LossColumns, { beta }: GvpoConfig): LossResult {
  const { logProbs, weights } = columns;
  const proximal = required(columns.proximal, 'proximal');
  const start = required(columns.trajectoryStart, 'trajectoryStart');
  const groups = required(columns.groupStart, 'groupStart');
  const rewards = required(columns.rewards, 'rewards');
  const derivative = new Float64Array(logProbs.length);
  const statistics: Record<string, number> = { kl: 0, ratio: 0, ratioDeviation: 0, impliedReward: 0 };
  let sum = 0;
  for (let g = 0; g + 1 < groups.length; g++) {
    const [first, end] = [groups[g]!, groups[g + 1]!];
    const [from, to] = [start[first]!, start[end]!];
    const result = gvpoLoss(
      {
        logProbs: Array.from({ length: to - from }, (_, d) => logProbs[from + d]!),
        proximal: Array.from({ length: to - from }, (_, d) => proximal[from + d]!),
        start: Array.from({ length: end - first + 1 }, (_, i) => start[first + i]! - from),
        rewards: Array.from({ length: end - first }, (_, i) => rewards[first + i]!),
      },
      { beta },
    );
    sum += result.loss;
    derivative.set(result.derivative, from);
    statistics['impliedReward']! += result.implied.reduce((total, of) => total + Math.abs(of), 0) / Math.max(1, end - first);
  }
  for (let d = 0; d < logProbs.length; d++) {
    const ratio = Math.exp(Math.min(20, Math.max(-20, logProbs[d]! - proximal[d]!)));
    statistics['ratio']! += weights[d]! * ratio;
    statistics['ratioDeviation']! += weights[d]! * Math.abs(ratio - 1);
    statistics['kl']! += weights[d]! * (ratio - 1 - Math.log(ratio));
  }
  return { loss: sum, derivative, statistics };
}
