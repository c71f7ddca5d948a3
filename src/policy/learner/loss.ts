import type { AlgorithmConfig } from '../../algo/config.ts';
import type { LossColumns, Method } from '../../algo/method.ts';
import { criticOf, methodOf } from '../../algo/registry.ts';
import { valueLoss } from '../../algo/value/loss.ts';
import type { LossDerivatives, LossInputs } from '../kind.ts';
import { addStatistics } from './statistics.ts';

/** Tokens to learn from, as columns of equal length. */
export interface TokenTable {
  /** log-probability under the policy that acted. */
  oldLogProb: Float64Array;
  advantage: Float64Array;
  /** Weight in all sums. */
  weight: Float64Array;
  /** log-probability at the start of the round; absent or NaN where the method has no use for it. */
  proximal?: Float64Array;
  /** log-probability under the reference policy; absent or NaN where the method has no use for it. */
  reference?: Float64Array;
  /** Target of the value head; absent or NaN without one. */
  target?: Float64Array;
  /** State value at the start of the round; absent or NaN without a critic. */
  value?: Float64Array;
  /** Derivative of the loss with respect to the log-probability where it was computed before (methods of scope `group`). */
  slope?: Float64Array;
}

/**
 * Sums over tokens, each times its weight: divided by the summed weight they are means.
 *
 * loss: what is minimised. surrogate: the loss without entropy bonus and value loss. entropy: nats. The rest is the
 * method's.
 */
export type LossStatistics = Record<string, number>;

/** Columns that only some methods have. */
const EXTRAS = ['proximal', 'reference', 'target', 'value', 'slope'] as const;
type Extra = (typeof EXTRAS)[number];
type Row = Record<'oldLogProb' | 'advantage' | 'weight', number> & Partial<Record<Extra, number>>;

/** The columns of tokens; extras that none of them has are left out. */
export function tableOf(tokens: readonly Row[]): TokenTable {
  const column = (name: keyof Row): Float64Array => Float64Array.from(tokens, (token) => token[name] ?? Number.NaN);
  const extras = EXTRAS.filter((name) => tokens.some((token) => !Number.isNaN(token[name] ?? Number.NaN)));
  return {
    oldLogProb: column('oldLogProb'),
    advantage: column('advantage'),
    weight: column('weight'),
    ...Object.fromEntries(extras.map((name) => [name, column(name)])),
  };
}

/**
 * Loss of a table of tokens as a function of what the policy says about them, with its derivatives: the method's loss of the
 * log-probabilities, less the entropy bonus, plus the loss of the value head.
 */
export function tableLoss(
  { logProbs, entropies, values }: LossInputs,
  table: TokenTable,
  algorithm: AlgorithmConfig,
): { loss: number; derivatives: LossDerivatives; statistics: LossStatistics } {
  const { loss: surrogate, derivative, ...method } = policyLoss(logProbs, table, methodOf(algorithm), algorithm);
  const { weight } = table;
  const bonus = new Float64Array(weight.length);
  let entropy = 0;
  for (let t = 0; t < weight.length; t++) {
    bonus[t] = -(weight[t]! * algorithm.entropy);
    entropy += weight[t]! * entropies[t]!;
  }
  const loss = surrogate - algorithm.entropy * entropy;
  const statistics: LossStatistics = { loss, surrogate, entropy, ...method.statistics };
  const critic = values && criticLoss(values, table, algorithm);
  if (critic !== undefined) addStatistics(statistics, { ...critic.statistics, loss: critic.loss });
  return {
    loss: statistics['loss']!,
    derivatives: { logProbs: derivative, entropies: bonus, ...(critic && { values: critic.derivative }) },
    statistics,
  };
}

function policyLoss(
  logProbs: Float64Array,
  table: TokenTable,
  method: Method,
  algorithm: AlgorithmConfig,
): { loss: number; derivative: Float64Array; statistics: LossStatistics } {
  if (table.slope) return { loss: 0, derivative: table.slope, statistics: {} };
  return method.loss(columnsOf(logProbs, table), algorithm);
}

/** Tokens as a method's loss sees them. */
function columnsOf(logProbs: Float64Array, table: TokenTable): LossColumns {
  return {
    logProbs,
    behaviour: table.oldLogProb,
    advantages: table.advantage,
    weights: table.weight,
    ...(table.proximal && { proximal: table.proximal }),
    ...(table.reference && { reference: table.reference }),
  };
}

/** Loss of the value head. Tokens without a target (of a method without a critic) count nothing. */
function criticLoss(
  values: Float64Array,
  { target, value, weight }: TokenTable,
  algorithm: AlgorithmConfig,
): { loss: number; derivative: Float64Array; statistics: LossStatistics } {
  const critic = criticOf(algorithm);
  const derivative = new Float64Array(values.length);
  if (critic === undefined || target === undefined) return { loss: 0, derivative, statistics: {} };
  const { coefficient, clip } = critic;
  const result = valueLoss(values, target, weight, { clip, oldValues: value });
  result.derivative.forEach((slope, t) => (derivative[t] = coefficient * slope));
  return { loss: coefficient * result.loss, derivative, statistics: result.statistics };
}
