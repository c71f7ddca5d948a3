import { weighTokens } from '../aggregation/weights.ts';
import { estimateRound } from '../credit/critic-round.ts';
import { paceOf } from '../credit/pace.ts';
import { needed } from '../credit/round.ts';
import type { LossColumns, LossResult, Method, RoundAdvantages, RoundGroup } from '../method.ts';
import { MAX_LOG_RATIO } from '../surrogate/clipped.ts';
import { addPenalty } from '../surrogate/loss.ts';
import { needsOf } from '../surrogate/needs.ts';
import { vtraceSchema, type VtraceConfig } from './schema.ts';
import { vtrace as correct } from './vtrace.ts';

/**
 * V-trace, the actor-critic of IMPALA: value targets and advantages that are right although the policy has moved since it acted.
 *
 * rho_t = min(rhoBar, pi/mu), c_t = lambda min(cBar, pi/mu), delta_t = rho_t (r_t + gamma V_{t+1} - V_t),
 * v_t = V_t + delta_t + gamma c_t (v_{t+1} - V_{t+1}); A_t = rho_t (r_t + gamma v_{t+1} - V_t) with pi the policy at the start of
 * the round and mu the one that acted. Loss -A_t log pi_theta + value.coefficient x 1/2 (V - v_t)^2.
 * Source: Espeholt et al., arXiv 1802.01561; torchbeast, `torchbeast/core/vtrace.py`.
 */
export const vtraceMethod: Method<VtraceConfig> = {
  name: 'vtrace',
  schema: vtraceSchema,
  needs: (config) => ({ ...needsOf(config), values: true, proximal: true }),
  teaches: () => true,
  roundAdvantages,
  scope: 'decision',
  weigh: (lengths, { aggregation, constantLength }) => weighTokens(lengths, aggregation, constantLength),
  loss,
};

function roundAdvantages(round: readonly RoundGroup[], config: VtraceConfig): RoundAdvantages {
  const { rhoBar, cBar, value } = config;
  let decisions = 0;
  let weights = 0;
  let capped = 0;
  const result = estimateRound(round, config, (rewards, values, { group, i }) => {
    const proximal = needed(group.proximal, 'proximal')[i]!;
    const ratios = proximal.map((logProb, t) => exp(logProb - group.behaviour[i]![t]!));
    decisions += ratios.length;
    for (const ratio of ratios) {
      weights += Math.min(rhoBar, ratio);
      if (ratio > rhoBar) capped++;
    }
    const [gamma, lambda] = [paceOf(group, i, value.gamma), paceOf(group, i, value.lambda)];
    return correct(ratios, rewards, values, { gamma, lambda, rhoBar, cBar });
  });
  const of = Math.max(1, decisions);
  return { ...result, statistics: { correctionWeight: weights / of, cappedFraction: capped / of } };
}

/** Statistics: sums of weight x ratio (to the policy that acted), ratioDeviation and kl (k3). */
function loss(columns: LossColumns, { kl }: VtraceConfig): LossResult {
  const { logProbs, behaviour, advantages, weights } = columns;
  const derivative = new Float64Array(logProbs.length);
  const statistics: Record<string, number> = { kl: 0, ratio: 0, ratioDeviation: 0 };
  let sum = 0;
  for (let d = 0; d < logProbs.length; d++) {
    const w = weights[d]!;
    const ratio = exp(logProbs[d]! - behaviour[d]!);
    sum -= w * advantages[d]! * logProbs[d]!;
    derivative[d] = -w * advantages[d]! + 0;
    statistics['ratio']! += w * ratio;
    statistics['ratioDeviation']! += w * Math.abs(ratio - 1);
    statistics['kl']! += w * (ratio - 1 - Math.log(ratio));
  }
  return { loss: sum + addPenalty(columns, kl, derivative, statistics), derivative, statistics };
}

const exp = (log: number): number => Math.exp(Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, log)));
