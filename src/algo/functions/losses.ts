/**
 * Losses as plain functions: arrays of numbers in, new arrays of numbers out, with their derivatives. Numbers that are not finite,
 * columns of unlike length and options out of range are `invalid_argument` with the field. No decisions: a loss of 0 and empty
 * arrays. What the formulas are is said where they are computed, and in docs/algorithms.md.
 */
import { boundaries, columns, finite, inRange, oneOf, sameLength, wrong } from '../check.ts';
import type { CorrectionOptions } from '../correction/weights.ts';
import { decoupledLoss as decoupled } from '../decoupled-ppo/loss.ts';
import { sequenceSurrogate as sequences, type SequenceColumns } from '../gspo/surrogate.ts';
import { gvpoLoss as gvpo, type GvpoColumns } from '../gvpo/loss.ts';
import { klEstimate as estimate, type KlEstimator } from '../kl/estimators.ts';
import type { LossColumns, LossResult } from '../method.ts';
import type { CorrectionConfig, KlConfig } from '../schema/fields.ts';
import { clippedSurrogate as clipped, type SurrogateOptions } from '../surrogate/clipped.ts';
import { surrogateLoss as surrogate, truncatedLoss as truncated } from '../surrogate/loss.ts';
import { valueLoss as squares, type ValueLossOptions } from '../value/loss.ts';
import type { ValidOptions } from './advantages.ts';
import { checkCorrection } from './weights.ts';

type Numbers = ArrayLike<number>;
/** A result with plain arrays instead of typed ones. */
type Plain<T> = { [K in keyof T]: T[K] extends Float64Array | Uint8Array ? number[] : T[K] };

/** Bounds of the ratio, where the function has defaults for them. */
export type ClipOptions = Partial<SurrogateOptions>;

/** Options of {@link surrogateLoss} and {@link truncatedLoss}. */
export interface PenalisedOptions extends ClipOptions {
  /** Penalty for leaving the reference policy; the estimator is k3 by default. Needs the column `reference`. */
  kl?: { coefficient: number; estimator?: KlEstimator };
  /** Correction for the way from the policy that acted to the start of the round. Needs the column `proximal`. */
  correction?: CorrectionOptions;
}

function plain<T extends object>(result: T): Plain<T> {
  const entries = Object.entries(result).map(([key, value]: [string, unknown]) => [
    key,
    ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
  ]);
  return Object.fromEntries(entries) as Plain<T>;
}

function bounded({ clipLow = 0.2, clipHigh = 0.2, dualClip }: ClipOptions): SurrogateOptions {
  inRange('clipLow', clipLow, { min: 0, max: 1 });
  inRange('clipHigh', clipHigh, { min: 0 });
  if (dualClip !== undefined) inRange('dualClip', dualClip, { above: 1 });
  return { clipLow, clipHigh, dualClip };
}

function penalty({ coefficient, estimator = 'k3' }: { coefficient: number; estimator?: KlEstimator }): KlConfig {
  inRange('kl.coefficient', coefficient, { min: 0 });
  oneOf('kl.estimator', estimator, ['k1', 'k2', 'k3']);
  return { coefficient, estimator, reference: 'initial' };
}

/** The columns that a loss of single decisions reads, checked. */
function checkColumns(of: LossColumns, ...more: ('proximal' | 'reference')[]): void {
  const { logProbs, behaviour, advantages, weights } = of;
  const needed = more.map((name) => {
    const column = of[name];
    if (column === undefined) throw wrong(name, 'the loss needs this column');
    return [name, column] as const;
  });
  columns({ logProbs, behaviour, advantages, weights, ...Object.fromEntries(needed) });
}

/** -min(r A, clip(r, 1 - clipLow, 1 + clipHigh) A), decision by decision; clipLow and clipHigh 0.2. See {@link clipped}. */
export function clippedSurrogate(
  logProbs: Numbers,
  oldLogProbs: Numbers,
  advantages: Numbers,
  options: ClipOptions = {},
): Plain<ReturnType<typeof clipped>> {
  columns({ logProbs, oldLogProbs, advantages });
  return plain(clipped(logProbs, oldLogProbs, advantages, bounded(options)));
}

/** The clipped surrogate of whole sequences; clipLow 3e-4, clipHigh 4e-4. See {@link sequences}. */
export function sequenceSurrogate(
  of: SequenceColumns,
  { clipLow = 3e-4, clipHigh = 4e-4 }: { clipLow?: number; clipHigh?: number } = {},
): Plain<ReturnType<typeof sequences>> {
  const { logProbs, oldLogProbs, start, advantages } = of;
  columns({ logProbs, oldLogProbs });
  boundaries('start', start, logProbs.length);
  checkPerSequence('advantages', advantages, start);
  finite({ advantages });
  return plain(sequences(of, bounded({ clipLow, clipHigh })));
}

function checkPerSequence(field: string, values: ArrayLike<unknown>, start: Numbers): void {
  const sequencesOf = Math.max(0, start.length - 1);
  sameLength({ [field]: values });
  if (values.length !== sequencesOf)
    throw wrong(field, `${values.length} entries for the ${sequencesOf} sequences of start; there must be as many`);
}

/** The loss of GVPO for one group; beta 0.1. See {@link gvpo}. */
export function gvpoLoss(
  of: GvpoColumns,
  { beta = 0.1, valid }: ValidOptions & { beta?: number } = {},
): Plain<ReturnType<typeof gvpo>> {
  const { logProbs, proximal, start, rewards } = of;
  columns({ logProbs, proximal });
  boundaries('start', start, logProbs.length);
  checkPerSequence('rewards', rewards, start);
  if (valid !== undefined) sameLength({ rewards, valid });
  inRange('beta', beta, { above: 0 });
  return plain(gvpo(of, { beta, ...(valid && { valid }) }));
}

/**
 * Weighted sum of the clipped surrogate with the penalty that `kl` asks for. With a correction the ratio is to the policy at the
 * start of the round, and the correction's weights must be in the advantages already: {@link truncatedLoss} multiplies them in.
 * See {@link surrogate}.
 */
export function surrogateLoss(of: LossColumns, options: PenalisedOptions = {}): Plain<LossResult> {
  const { kl, correction } = checkPenalised(of, options);
  return plain(surrogate(of, { ...bounded(options), kl, correction }));
}

/** {@link surrogateLoss} with the correction's weights multiplied into the advantages. See {@link truncated}. */
export function truncatedLoss(of: LossColumns, options: PenalisedOptions & { correction: CorrectionOptions }): Plain<LossResult> {
  const { kl, correction } = checkPenalised(of, options);
  if (correction?.kind !== 'none' && correction?.level === 'trajectory') {
    if (of.trajectoryStart === undefined) throw wrong('trajectoryStart', 'a weight of whole trajectories needs this column');
    boundaries('trajectoryStart', of.trajectoryStart, of.logProbs.length);
  }
  return plain(truncated(of, { ...bounded(options), kl, correction }));
}

function checkPenalised(
  of: LossColumns,
  options: PenalisedOptions,
): { kl: KlConfig | undefined; correction: CorrectionConfig | undefined } {
  const kl = options.kl && penalty(options.kl);
  const correction = options.correction && checkCorrection(options.correction);
  const corrected = correction !== undefined && correction.kind !== 'none';
  checkColumns(of, ...(corrected ? ['proximal' as const] : []), ...(kl && kl.coefficient > 0 ? ['reference' as const] : []));
  return { kl, correction };
}

/** Loss of decoupled PPO, a weighted sum over decisions; cap 2, clipLow and clipHigh 0.2. See {@link decoupled}. */
export function decoupledLoss(
  of: LossColumns,
  { cap = 2, kl, ...clip }: ClipOptions & { cap?: number; kl?: NonNullable<PenalisedOptions['kl']> } = {},
): Plain<LossResult> {
  inRange('cap', cap, { above: 0 });
  const penalised = kl && penalty(kl);
  checkColumns(of, 'proximal', ...(penalised && penalised.coefficient > 0 ? ['reference' as const] : []));
  return plain(decoupled(of, { ...bounded(clip), cap, ...(penalised && { kl: penalised }) }));
}

/** Loss of a value head, a sum over decisions: coefficient (1) x weight x 1/2 (V - target)^2. See {@link squares}. */
export function valueLoss(
  values: Numbers,
  targets: Numbers,
  weights: Numbers,
  options: ValueLossOptions = {},
): Plain<ReturnType<typeof squares>> {
  const { coefficient = 1, clip, oldValues } = options;
  columns({ values, targets, weights, ...(oldValues && { oldValues }) });
  inRange('coefficient', coefficient, { min: 0 });
  if (clip !== undefined) inRange('clip', clip, { min: 0 });
  return plain(squares(values, targets, weights, options));
}

/** Estimate of KL(policy || reference) and its derivative by the policy's log-probability, decision by decision. See {@link estimate}. */
export function klEstimate(
  logProbs: Numbers,
  referenceLogProbs: Numbers,
  estimator: KlEstimator = 'k3',
): Plain<ReturnType<typeof estimate>> {
  columns({ logProbs, referenceLogProbs });
  oneOf('estimator', estimator, ['k1', 'k2', 'k3']);
  return plain(estimate(logProbs, referenceLogProbs, estimator));
}

/**
 * Entropy of softmax(logits / temperature) in nats, H = -sum p log p, and its derivative by the logits,
 * dH / ds_j = -p_j (log p_j + H) / temperature. The loss of a method has -entropy x H for every decision. A single logit, or none:
 * an entropy of 0.
 */
export function entropyBonus(logits: Numbers, temperature = 1): { entropy: number; derivative: number[] } {
  finite({ logits });
  inRange('temperature', temperature, { above: 0 });
  const scaled = Array.from(logits, (logit) => logit / temperature);
  const largest = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
  const normaliser = largest + Math.log(scaled.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  const logs = scaled.map((logit) => logit - normaliser);
  const entropy = logs.reduce((sum, log) => sum - Math.exp(log) * log, 0);
  return { entropy, derivative: logs.map((log) => (-Math.exp(log) * (log + entropy)) / temperature + 0) };
}
