import type { AlgorithmConfig } from '../../algo/config.ts';
import { clippedSurrogate } from '../../algo/grpo/surrogate.ts';
import { segmentLogSoftmax } from '../planner/softmax.ts';

/** Decisions to learn from, as columns of equal length. */
export interface DecisionTable {
  /** Index of the flat observation. */
  observation: Int32Array;
  /** Index of the chosen action among the observation's open actions. */
  action: Int32Array;
  /** log-probability under the policy that acted. */
  oldLogProb: Float64Array;
  advantage: Float64Array;
  /** Weight in all sums. */
  weight: Float64Array;
}

/**
 * Sums over the decisions, each times its weight: divided by the summed weight they are means.
 *
 * loss: what is minimised. surrogate: the loss without the entropy bonus. entropy: nats. kl: k3 estimate of the divergence
 * of the present policy from the one that acted. clipFraction: decisions with an active clip. ratio: probability ratio;
 * ratioDeviation: its distance from 1.
 */
export type LossStatistics = Record<
  'loss' | 'surrogate' | 'entropy' | 'kl' | 'clipFraction' | 'ratio' | 'ratioDeviation',
  number
>;

/** Value and derivative of the loss. */
export interface PolicyLoss {
  /** Sum of weight x (surrogate - entropy bonus). */
  loss: number;
  /** d loss / d score, one per action of all observations. */
  derivative: Float32Array;
  statistics: LossStatistics;
}

/**
 * Loss of a table of decisions as a function of the scores of all open actions.
 *
 * `start` delimits the observations' actions in `scores`; `temperature` holds one value per observation. The surrogate acts
 * on the chosen action's log-probability under softmax(scores / temperature), with
 * d log p_a / d s_j = ([j = a] - p_j) / temperature; the entropy bonus is exact, with
 * dH / d s_j = -p_j (log p_j + H) / temperature.
 */
export function policyLoss(
  scores: Float32Array,
  start: Int32Array,
  temperature: Float64Array,
  decisions: DecisionTable,
  algorithm: AlgorithmConfig,
): PolicyLoss {
  const n = decisions.observation.length;
  const logProbs = segmentLogSoftmax(scores, start, temperature);
  const chosen = new Float64Array(n);
  for (let d = 0; d < n; d++) chosen[d] = logProbs[start[decisions.observation[d]!]! + decisions.action[d]!]!;
  const surrogate = clippedSurrogate(chosen, decisions.oldLogProb, decisions.advantage, algorithm);
  const entropies = segmentEntropies(logProbs, start);

  // Decisions at the same observation share its softmax: collect their weights first, then touch each action once.
  const pull = new Float64Array(start.length - 1);
  const bonus = new Float64Array(start.length - 1);
  const derivative = new Float64Array(scores.length);
  const sums = { surrogate: 0, entropy: 0, kl: 0, clipFraction: 0, ratio: 0, ratioDeviation: 0 };
  for (let d = 0; d < n; d++) {
    const o = decisions.observation[d]!;
    const w = decisions.weight[d]!;
    const flow = w * surrogate.derivative[d]!;
    derivative[start[o]! + decisions.action[d]!]! += flow;
    pull[o]! += flow;
    bonus[o]! += w * algorithm.entropy;
    const ratio = surrogate.ratio[d]!;
    sums.surrogate += w * surrogate.loss[d]!;
    sums.entropy += w * entropies[o]!;
    sums.kl += w * (ratio - 1 - Math.log(ratio));
    sums.clipFraction += w * surrogate.clipped[d]!;
    sums.ratio += w * ratio;
    sums.ratioDeviation += w * Math.abs(ratio - 1);
  }
  const result = new Float32Array(scores.length);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) {
      const p = Math.exp(logProbs[j]!);
      const value = derivative[j]! - p * pull[o]! + bonus[o]! * p * (logProbs[j]! + entropies[o]!);
      result[j] = value / temperature[o]!;
    }
  }
  const loss = sums.surrogate - algorithm.entropy * sums.entropy;
  return { loss, derivative: result, statistics: { loss, ...sums } };
}

function segmentEntropies(logProbs: Float32Array, start: Int32Array): Float64Array {
  const entropies = new Float64Array(start.length - 1);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) entropies[o]! -= Math.exp(logProbs[j]!) * logProbs[j]!;
  }
  return entropies;
}
