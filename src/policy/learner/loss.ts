import type { AlgorithmConfig } from '../../algo/config.ts';
import type { LossColumns, LossResult, Method } from '../../algo/method.ts';
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
  /** log-probability at the start of the round; NaN where the method has no use for it. */
  proximal?: Float64Array;
  /** log-probability under the reference policy; NaN where the method has no use for it. */
  reference?: Float64Array;
  /** Target of the value head; NaN without one. */
  target?: Float64Array;
  /** State value at the start of the round; NaN without a critic. */
  value?: Float64Array;
  /** Derivative of the loss with respect to the log-probability where it was computed before (methods of scope `group`). */
  slope?: Float64Array;
}

/**
 * Sums over the decisions, each times its weight: divided by the summed weight they are means.
 *
 * loss: what is minimised. surrogate: the loss without entropy bonus and value loss. entropy: nats. The rest is the
 * method's.
 */
export type LossStatistics = Record<string, number>;

/** Value and derivative of the loss. */
export interface PolicyLoss {
  /** Sum of weight x (surrogate - entropy bonus). */
  loss: number;
  /** d loss / d score, one per action of all observations. */
  derivative: Float32Array;
  statistics: LossStatistics;
}

/** Log-probabilities of the chosen actions under softmax(scores / temperature). */
export function chosenLogProbs(
  logProbs: Float32Array,
  start: Int32Array,
  { observation, action }: Pick<DecisionTable, 'observation' | 'action'>,
): Float64Array {
  const chosen = new Float64Array(observation.length);
  for (let d = 0; d < chosen.length; d++) chosen[d] = logProbs[start[observation[d]!]! + action[d]!]!;
  return chosen;
}

/**
 * Loss of a table of decisions as a function of the scores of all open actions.
 *
 * `start` delimits the observations' actions in `scores`; `temperature` holds one value per observation. The method's loss acts
 * on the chosen action's log-probability under softmax(scores / temperature), with
 * d log p_a / d s_j = ([j = a] - p_j) / temperature; the entropy bonus is exact, with
 * dH / d s_j = -p_j (log p_j + H) / temperature.
 */
export function policyLoss(
  scores: Float32Array,
  start: Int32Array,
  temperature: Float64Array,
  decisions: DecisionTable,
  method: Method,
  algorithm: AlgorithmConfig,
): PolicyLoss {
  const n = decisions.observation.length;
  const logProbs = segmentLogSoftmax(scores, start, temperature);
  const surrogate = decisions.slope
    ? { loss: 0, derivative: decisions.slope, statistics: {} }
    : method.loss(columnsOf(chosenLogProbs(logProbs, start, decisions), decisions), algorithm);
  const entropies = segmentEntropies(logProbs, start);

  // Decisions at the same observation share its softmax: collect their weights first, then touch each action once.
  const pull = new Float64Array(start.length - 1);
  const bonus = new Float64Array(start.length - 1);
  const derivative = new Float64Array(scores.length);
  let entropy = 0;
  for (let d = 0; d < n; d++) {
    const o = decisions.observation[d]!;
    const w = decisions.weight[d]!;
    const flow = surrogate.derivative[d]!;
    derivative[start[o]! + decisions.action[d]!]! += flow;
    pull[o]! += flow;
    bonus[o]! += w * algorithm.entropy;
    entropy += w * entropies[o]!;
  }
  const result = new Float32Array(scores.length);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) {
      const p = Math.exp(logProbs[j]!);
      const value = derivative[j]! - p * pull[o]! + bonus[o]! * p * (logProbs[j]! + entropies[o]!);
      result[j] = value / temperature[o]!;
    }
  }
  const loss = surrogate.loss - algorithm.entropy * entropy;
  return { loss, derivative: result, statistics: statisticsOf(loss, entropy, surrogate) };
}

/** The decisions as a method's loss sees them. */
function columnsOf(logProbs: Float64Array, decisions: DecisionTable): LossColumns {
  return {
    logProbs,
    behaviour: decisions.oldLogProb,
    advantages: decisions.advantage,
    weights: decisions.weight,
    ...(decisions.proximal && { proximal: decisions.proximal }),
    ...(decisions.reference && { reference: decisions.reference }),
  };
}

function statisticsOf(loss: number, entropy: number, surrogate: Pick<LossResult, 'loss' | 'statistics'>): LossStatistics {
  return { loss, surrogate: surrogate.loss, entropy, ...surrogate.statistics };
}

function segmentEntropies(logProbs: Float32Array, start: Int32Array): Float64Array {
  const entropies = new Float64Array(start.length - 1);
  for (let o = 0; o + 1 < start.length; o++) {
    for (let j = start[o]!; j < start[o + 1]!; j++) entropies[o]! -= Math.exp(logProbs[j]!) * logProbs[j]!;
  }
  return entropies;
}
