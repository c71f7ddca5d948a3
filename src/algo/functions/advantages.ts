/**
 * Advantages and credit assignment as plain functions: arrays of numbers in, new arrays of numbers out, arguments checked
 * (`invalid_argument` with the field). In the family of advantages a reward that is not finite is data: the member failed, gets 0 and
 * counts for nobody; everywhere else it is an error. What the formulas are is said where they are computed, and in
 * docs/algorithms.md.
 */
import { array, columns, finite, inRange, oneOf, sameLength, wrong } from '../check.ts';
import * as sharing from '../credit/broadcast.ts';
import { generalizedAdvantages as gae } from '../credit/gae.ts';
import { positivePart as positive } from '../credit/positive.ts';
import * as toGo from '../credit/return-to-go.ts';
import { potentialShaping as shaping } from '../credit/shaping.ts';
import * as whitening from '../credit/whiten.ts';
import * as grpo from '../grpo/advantages.ts';
import * as rpp from '../reinforce-plus-plus/advantages.ts';
import { rlooAdvantages as rloo } from '../rloo/advantages.ts';
import { areEqual, TOLERANCE } from '../stats/equal.ts';
import { vtrace as correct, type VtraceOptions } from '../vtrace/vtrace.ts';

type Numbers = ArrayLike<number>;
const UNIT = { min: 0, max: 1 };

/** Members of a group that count. */
export interface ValidOptions {
  /** One per trajectory; default: all with a finite reward. */
  valid?: readonly boolean[];
}

function checkGroup(rewards: Numbers, valid: readonly boolean[] | undefined): void {
  array('rewards', rewards);
  if (valid !== undefined) sameLength({ rewards, valid });
}

function checkDeviation({ std = 'sample', epsilon = 0, tolerance = 0 }: grpo.AdvantageOptions, words: readonly string[]): void {
  oneOf('std', std, words);
  inRange('epsilon', epsilon, { min: 0 });
  inRange('tolerance', tolerance, { min: 0 });
}

/** GRPO: (R_i - mean) / (std + epsilon), one per trajectory. See {@link grpo.grpoAdvantages}. */
export function grpoAdvantages(rewards: Numbers, options: grpo.AdvantageOptions = {}): number[] {
  checkGroup(rewards, options.valid);
  checkDeviation(options, ['sample', 'population', 'none']);
  return grpo.grpoAdvantages(Array.from(rewards), options);
}

/** Dr.GRPO: R_i - mean, one per trajectory. */
export function drGrpoAdvantages(rewards: Numbers, { valid }: ValidOptions = {}): number[] {
  checkGroup(rewards, valid);
  return grpo.grpoAdvantages(Array.from(rewards), { std: 'none', ...(valid && { valid }) });
}

/** RLOO: R_i - mean of the others, one per trajectory. */
export function rlooAdvantages(rewards: Numbers, { valid }: ValidOptions = {}): number[] {
  checkGroup(rewards, valid);
  return rloo(Array.from(rewards), valid && { valid });
}

/** REINFORCE++ and, with `baseline`, its baseline form; `[group][trajectory]`. See {@link rpp.reinforcePlusPlusAdvantages}. */
export function reinforcePlusPlusAdvantages(rewards: readonly Numbers[], options: rpp.ReinforcePlusPlusOptions = {}): number[][] {
  const { baseline, valid, ...deviation } = options;
  checkGroups('rewards', rewards, valid);
  checkDeviation(deviation, ['sample', 'population']);
  const groups = rewards.map((group) => Array.from(group));
  return rpp.reinforcePlusPlusAdvantages(groups, options);
}

function checkGroups(field: string, values: readonly Numbers[], valid: readonly (readonly boolean[])[] | undefined): void {
  array(field, values);
  values.forEach((group, g) => array(`${field}[${g}]`, group));
  if (valid === undefined) return;
  sameLength({ [field]: values, valid });
  values.forEach((group, g) => sameLength({ [`${field}[${g}]`]: group, [`valid[${g}]`]: valid[g]! }));
}

/** (x - mean) / (std + epsilon) over all values that count. See {@link whitening.whiten}. */
export function whiten(values: Numbers, options: whitening.WhitenOptions = {}): number[] {
  array('values', values);
  if (options.valid !== undefined) sameLength({ values, valid: options.valid });
  checkDeviation(options, ['sample', 'population']);
  return whitening.whiten(Array.from(values), options);
}

/** {@link whiten} over all groups at once, `[group][trajectory]`. `valid`: default all with a finite value. */
export function whitenGroups(
  values: readonly Numbers[],
  valid?: readonly (readonly boolean[])[],
  options: Omit<whitening.WhitenOptions, 'valid'> = {},
): number[][] {
  checkGroups('values', values, valid);
  checkDeviation(options, ['sample', 'population']);
  const groups = values.map((group) => Array.from(group));
  return whitening.whitenGroups(groups, valid ?? groups.map((group) => group.map(Number.isFinite)), options);
}

/** Whether a group teaches anything: two members that count, and rewards that are not equal ({@link areEqual}; `tolerance` 1e-12). */
export function hasSignal(
  rewards: Numbers,
  { valid, tolerance = TOLERANCE }: ValidOptions & { tolerance?: number } = {},
): boolean {
  checkGroup(rewards, valid);
  inRange('tolerance', tolerance, { min: 0 });
  return !areEqual(grpo.counted(Array.from(rewards), valid), tolerance);
}

/** The trajectory's advantage for every one of its `length` decisions. */
export function broadcast(advantage: number, length: number): number[] {
  inRange('advantage', advantage);
  inRange('length', length, { min: 0, whole: true });
  return sharing.broadcast(advantage, length);
}

/** The trajectory's advantage discounted from its end: advantage x gamma^(length - i - 1). */
export function discounted(advantage: number, length: number, gamma = 0.99): number[] {
  inRange('advantage', advantage);
  inRange('length', length, { min: 0, whole: true });
  inRange('gamma', gamma, UNIT);
  return sharing.discounted(advantage, length, gamma);
}

/** Discounted sum of the rewards from each step on. */
export function returnsToGo(rewards: Numbers, gamma = 1): number[] {
  finite({ rewards });
  inRange('gamma', gamma, UNIT);
  return toGo.returnsToGo(Array.from(rewards), gamma);
}

/** Return from each step on minus the mean return of the others, `[trajectory][decision]`. See {@link toGo.leaveOneOutReturnsToGo}. */
export function leaveOneOutReturnsToGo(
  stepRewards: readonly Numbers[],
  options: { gamma?: number; valid?: readonly boolean[]; tolerance?: number } = {},
): number[][] {
  const { gamma = 1, valid, tolerance = 0 } = options;
  array('stepRewards', stepRewards);
  stepRewards.forEach((steps, i) => array(`stepRewards[${i}]`, steps));
  if (valid !== undefined) sameLength({ stepRewards, valid });
  inRange('gamma', gamma, UNIT);
  inRange('tolerance', tolerance, { min: 0 });
  return toGo.leaveOneOutReturnsToGo(
    stepRewards.map((steps) => Array.from(steps)),
    options,
  );
}

/** gamma Phi(s_{t+1}) - Phi(s_t) for every decision, Phi = 0 after the last. */
export function potentialShaping(potentials: Numbers, gamma = 0.99): number[] {
  finite({ potentials });
  inRange('gamma', gamma, UNIT);
  return shaping(Array.from(potentials), gamma);
}

function checkValues(rewards: Numbers, values: Numbers, bootstrap: number): void {
  array('rewards', rewards);
  array('values', values);
  if (values.length === rewards.length + 1) {
    throw wrong(
      'values',
      `${values.length} entries for ${rewards.length} of rewards; the value after the last step is the option bootstrap`,
    );
  }
  columns({ rewards, values });
  inRange('bootstrap', bootstrap);
}

/** Generalised advantage estimation of one trajectory; `returns` are the targets A_t + V_t. See {@link gae}. */
export function generalizedAdvantages(
  rewards: Numbers,
  values: Numbers,
  { bootstrap = 0, gamma = 0.99, lambda = 0.95 }: { bootstrap?: number; gamma?: number; lambda?: number } = {},
): { advantages: number[]; returns: number[] } {
  checkValues(rewards, values, bootstrap);
  inRange('gamma', gamma, UNIT);
  inRange('lambda', lambda, UNIT);
  return gae(Array.from(rewards), Array.from(values), { bootstrap, gamma, lambda });
}

/** V-trace targets and policy-gradient advantages of one trajectory; gamma is 0.99 by default. See {@link correct}. */
export function vtrace(
  ratios: Numbers,
  rewards: Numbers,
  values: Numbers,
  options: Partial<Omit<VtraceOptions, 'gamma' | 'lambda'>> & { gamma?: number; lambda?: number } = {},
): { targets: number[]; advantages: number[] } {
  const { bootstrap = 0, gamma = 0.99, lambda = 1, rhoBar = 1, cBar = 1, pgRhoBar = rhoBar } = options;
  checkValues(rewards, values, bootstrap);
  columns({ rewards, ratios });
  for (let t = 0; t < ratios.length; t++) inRange(`ratios[${t}]`, ratios[t]!, { min: 0 });
  inRange('gamma', gamma, UNIT);
  inRange('lambda', lambda, UNIT);
  inRange('rhoBar', rhoBar, { above: 0 });
  inRange('cBar', cBar, { min: 0 });
  inRange('pgRhoBar', pgRhoBar, { above: 0 });
  const of = { bootstrap, gamma, lambda, rhoBar, cBar, pgRhoBar };
  return correct(Array.from(ratios), Array.from(rewards), Array.from(values), of);
}

/** max(0, A): what positive-only updates train on. */
export function positivePart(advantages: Numbers): number[] {
  finite({ advantages });
  return positive(Array.from(advantages), { positiveOnly: true });
}
