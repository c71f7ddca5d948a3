import { wrong } from '../check.ts';
import { klEstimate, klInLoss } from '../kl/estimators.ts';
import type { LossColumns, LossResult } from '../method.ts';
import { correctionWeights } from '../correction/weights.ts';
import type { CorrectionConfig, KlConfig } from '../schema/fields.ts';
import { clippedSurrogate, MAX_LOG_RATIO, type SurrogateOptions } from './clipped.ts';

/** Options of {@link surrogateLoss}: a part of a method's. */
export interface SurrogateLossOptions extends SurrogateOptions {
  kl?: KlConfig | undefined;
  correction?: CorrectionConfig | undefined;
}

/**
 * Weighted sum of the clipped surrogate, decision by decision, with the penalty that `kl` asks for.
 *
 * The ratio is that of the trained policy to the one that acted. With a correction it is to the policy at the start of the
 * round instead, and the rest of the way must be in the advantages already: multiply the weights of correction/ into them,
 * decision by decision, as the methods do, or call {@link truncatedLoss}, which does it. Statistics, all sums of weight x value:
 * clipFraction: decisions with an active clip. ratio: the probability ratio; ratioDeviation: its distance from 1. kl: k3
 * estimate of the divergence of the trained policy from the one that the ratio is to. referenceKl: the estimate of the
 * divergence from the reference policy. proximalRatio: how far the start of the round is from the policy that acted.
 */
export function surrogateLoss(columns: LossColumns, options: SurrogateLossOptions): LossResult {
  const { logProbs, behaviour, proximal, advantages, weights } = columns;
  const corrected = options.correction !== undefined && options.correction.kind !== 'none';
  const surrogate = clippedSurrogate(logProbs, corrected ? required(proximal, 'proximal') : behaviour, advantages, options);
  const n = logProbs.length;
  const derivative = new Float64Array(n);
  let loss = 0;
  const statistics: Record<string, number> = { kl: 0, clipFraction: 0, ratio: 0, ratioDeviation: 0 };
  for (let d = 0; d < n; d++) {
    const w = weights[d]!;
    const ratio = surrogate.ratio[d]!;
    // Plus 0, so that a weight of 0 leaves no negative zero.
    derivative[d] = w * surrogate.derivative[d]! + 0;
    loss += w * surrogate.loss[d]!;
    statistics['kl']! += w * (ratio - 1 - Math.log(ratio));
    statistics['clipFraction']! += w * surrogate.clipped[d]!;
    statistics['ratio']! += w * ratio;
    statistics['ratioDeviation']! += w * Math.abs(ratio - 1);
  }
  if (corrected) statistics['proximalRatio'] = weightedRatio(proximal!, behaviour, weights);
  const penalty = options.kl === undefined ? 0 : addPenalty(columns, options.kl, derivative, statistics);
  return { loss: loss + penalty, derivative, statistics };
}

/**
 * {@link surrogateLoss} with the correction's weights multiplied into the advantages. A weight of a whole trajectory
 * (level `trajectory`) needs the column `trajectoryStart`. Statistics beside those of the surrogate: sums of weight x
 * correctionWeight and maskedFraction.
 */
export function truncatedLoss(columns: LossColumns, options: SurrogateLossOptions): LossResult {
  const { correction } = options;
  if (correction === undefined || correction.kind === 'none') return surrogateLoss(columns, options);
  const { behaviour, weights } = columns;
  const proximal = Array.from(required(columns.proximal, 'proximal'));
  const n = columns.logProbs.length;
  const start = correction.level === 'trajectory' ? required(columns.trajectoryStart, 'trajectoryStart') : [0, n];
  const w: number[] = [];
  for (let i = 0; i + 1 < start.length; i++) {
    const [from, to] = [start[i]!, start[i + 1]!];
    w.push(...correctionWeights(proximal.slice(from, to), Array.from(behaviour).slice(from, to), correction));
  }
  const result = surrogateLoss({ ...columns, advantages: w.map((weight, d) => weight * columns.advantages[d]!) }, options);
  const correctionWeight = w.reduce((sum, weight, d) => sum + weights[d]! * weight, 0);
  const maskedFraction = w.reduce((sum, weight, d) => (weight === 0 ? sum + weights[d]! : sum), 0);
  return { ...result, statistics: { ...result.statistics, correctionWeight, maskedFraction } };
}

/**
 * Adds coefficient x KL estimate to a loss: its derivative to `derivative`, the estimate to `statistics.referenceKl`; returns
 * the sum. Nothing without a coefficient; with k1 the penalty is in the reward and only the estimate is noted.
 */
export function addPenalty(
  { logProbs, reference, weights }: LossColumns,
  { coefficient, estimator }: KlConfig,
  derivative: Float64Array,
  statistics: Record<string, number>,
): number {
  if (coefficient === 0) return 0;
  const estimate = klEstimate(logProbs, required(reference, 'reference'), estimator);
  const inLoss = klInLoss(estimator);
  let sum = 0;
  for (let d = 0; d < logProbs.length; d++) {
    sum += weights[d]! * estimate.value[d]!;
    if (inLoss) derivative[d]! += weights[d]! * coefficient * estimate.derivative[d]!;
  }
  statistics['referenceKl'] = sum;
  return inLoss ? coefficient * sum : 0;
}

/** The column, which a method's `needs` asked for. */
export function required(column: ArrayLike<number> | undefined, name: string): ArrayLike<number> {
  if (column === undefined) throw wrong(name, 'the loss needs this column');
  return column;
}

function weightedRatio(logProbs: ArrayLike<number>, others: ArrayLike<number>, weights: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < logProbs.length; d++) {
    const log = Math.min(MAX_LOG_RATIO, Math.max(-MAX_LOG_RATIO, logProbs[d]! - others[d]!));
    sum += weights[d]! * Math.exp(log);
  }
  return sum;
}
