/**
 * Exploration as plain functions: numbers and arrays of numbers in, new arrays of numbers out, arguments checked (`invalid_argument`
 * with the field). Formulas are said where they are computed, and in docs/algorithms.md.
 */
import { allInRange, array, columns, finite, inRange, oneOf, sameLength, wrong } from '../algo/check.ts';
import * as stats from '../algo/stats/beta.ts';
import { wilson as interval } from '../algo/stats/wilson.ts';
import type { ExplorationConfig } from '../config/job/exploration.ts';
import * as beta from './beta.ts';
import type { Outcomes } from './beta.ts';
import { exactBestProbabilities } from './best.ts';
import * as curriculum from './curriculum.ts';
import * as proposal from './proposal.ts';
import { prunedTools as pruned } from './pruning.ts';
import * as temperature from './temperature.ts';
import { updateValues } from './values.ts';

type Numbers = ArrayLike<number>;
type Bounds = [lower: number, upper: number];

function checkOutcomes(outcomes: readonly Outcomes[], field: string): void {
  array(field, outcomes);
  outcomes.forEach(({ good, bad }, i) => {
    inRange(`${field}[${i}].good`, good, { min: 0 });
    inRange(`${field}[${i}].bad`, bad, { min: 0 });
  });
}

function checkDistribution(field: string, values: Numbers): void {
  allInRange(field, values, { min: 0, max: 1 });
  const total = Array.from(values).reduce((sum, p) => sum + p, 0);
  if (values.length > 0 && Math.abs(total - 1) > 1e-6) throw wrong(field, `probabilities that sum to 1 are needed, got ${total}`);
}

/** Wilson score interval of `successes` among `n`; no trials: [0, 1]. `z` is the normal quantile. */
export function wilson(successes: number, n: number, z = 1.96): Bounds {
  inRange('n', n, { min: 0 });
  inRange('successes', successes, { min: 0, max: n });
  inRange('z', z, { min: 0 });
  return interval(successes, n, z);
}

/** Mean of the posterior Beta(1 + good, 1 + bad). */
export function posteriorMean(outcomes: Outcomes): number {
  checkOutcomes([outcomes], 'outcomes');
  return beta.posteriorMean(outcomes);
}

/** Wilson bounds of the success probability; z 2.58. */
export function bounds(outcomes: Outcomes, z = 2.58): Bounds {
  checkOutcomes([outcomes], 'outcomes');
  inRange('z', z, { min: 0 });
  return beta.bounds(outcomes, z);
}

/** Distribution function of Beta(a, b) at x; 0 below 0 and 1 above 1. */
export function betaCdf(x: number, a: number, b: number): number {
  inRange('x', x);
  inRange('a', a, { above: 0 });
  inRange('b', b, { above: 0 });
  return stats.betaCdf(x, a, b);
}

/** For each arm the probability that its success probability is the largest of all, to 1e-9. See {@link exactBestProbabilities}. */
export function bestProbabilities(arms: readonly Outcomes[]): number[] {
  checkOutcomes(arms, 'arms');
  return exactBestProbabilities(arms);
}

/** Indices of the arms whose upper bound is below the largest lower bound; z 2.58, minVisits 20. See {@link pruned}. */
export function prunedTools(
  arms: readonly Outcomes[],
  { z = 2.58, minVisits = 20 }: { z?: number; minVisits?: number } = {},
): number[] {
  checkOutcomes(arms, 'arms');
  inRange('z', z, { min: 0 });
  inRange('minVisits', minVisits, { min: 0 });
  const known = new Map(arms.map((arm, i) => [i, { ...arm, visits: arm.good + arm.bad, value: 0 }]));
  return [...pruned([...known.keys()], known, { z, minVisits })];
}

/** How likely a group has outcomes that differ, by the posterior Beta(prior + good, prior + bad); prior 0.3. */
export function signalProbability(outcomes: Outcomes, groupSize: number, prior = 0.3): number {
  checkOutcomes([outcomes], 'outcomes');
  inRange('groupSize', groupSize, { min: 1, whole: true });
  inRange('prior', prior, { above: 0 });
  return curriculum.signalProbability(outcomes, groupSize, prior);
}

/** Probabilities that the next request is about each task. See {@link curriculum.taskProbabilities}. */
export function taskProbabilities(
  tasks: readonly Outcomes[],
  options: { groupSize: number; floor?: number; sharpness?: number; prior?: number },
): number[] {
  const { groupSize, floor = 0.1, sharpness = 1, prior = 0.3 } = options;
  checkOutcomes(tasks, 'tasks');
  inRange('groupSize', groupSize, { min: 1, whole: true });
  inRange('floor', floor, { min: 0, max: 1 });
  inRange('sharpness', sharpness, { min: 0 });
  inRange('prior', prior, { above: 0 });
  const records = new Map(tasks.map((task, i) => [String(i), task]));
  const of = { floor, sharpness, prior, groupSize };
  return Array.from(curriculum.taskProbabilities([...records.keys()], { tasks: records }, of));
}

type Schedule = ExplorationConfig['temperature']['schedule'];

/** Sampling temperature of a round; `final` is `base` and `multiplier` 1 by default. See {@link temperature.temperatureAt}. */
export function temperatureAt(
  schedule: Schedule,
  {
    base,
    final = base,
    round,
    rounds,
    multiplier = 1,
  }: { base: number; final?: number; round: number; rounds: number; multiplier?: number },
): number {
  oneOf('schedule', schedule, ['constant', 'linear', 'cosine', 'entropy']);
  for (const [field, value] of Object.entries({ base, final, multiplier })) inRange(field, value, { above: 0 });
  inRange('round', round, { min: 0, whole: true });
  inRange('rounds', rounds, { min: 1, whole: true });
  return temperature.temperatureAt({ schedule, final, ...LIMITS }, { base, round, rounds, multiplier });
}

const LIMITS = { rate: 0.05, min: 0.25, max: 4 };

/** The multiplier of schedule `entropy` after a round; rate 0.05, min 0.25, max 4. See {@link temperature.nextMultiplier}. */
export function nextMultiplier(
  {
    target,
    rate = LIMITS.rate,
    min = LIMITS.min,
    max = LIMITS.max,
  }: { target: number; rate?: number; min?: number; max?: number },
  { base, multiplier, entropy }: { base: number; multiplier: number; entropy: number },
): number {
  for (const [field, value] of Object.entries({ rate, min, max, base, multiplier })) inRange(field, value, { above: 0 });
  inRange('target', target, { min: 0 });
  inRange('entropy', entropy, { min: 0 });
  return temperature.nextMultiplier({ schedule: 'entropy', target, rate, min, max }, { base, multiplier, entropy });
}

/**
 * Values of a path's (state bucket, tool) pairs after one pass of SARSA along it, each pair met once; rate 0.1, discount 1.
 * Step t learns from the value that step t + 1 had before the pass. See {@link updateValues}.
 */
export function sarsaValues(
  values: Numbers,
  rewards: Numbers,
  { rate = 0.1, discount = 1 }: { rate?: number; discount?: number } = {},
): number[] {
  columns({ values, rewards });
  inRange('rate', rate, { min: 0, max: 1 });
  inRange('discount', discount, { min: 0, max: 1 });
  const path = Array.from(values, (value) => ({ value }));
  updateValues(path, (t) => rewards[t]!, { rate, discount });
  return path.map(({ value }) => value);
}

/** (1 - epsilon) x policy + epsilon x uniform. */
export function mixUniform(policy: Numbers, epsilon: number): number[] {
  checkDistribution('policy', policy);
  inRange('epsilon', epsilon, { min: 0, max: 1 });
  return Array.from(proposal.mixUniform(policy, epsilon));
}

/**
 * (1 - share) x policy + share x P(tool) x policy(action | tool).
 *
 * @param tools - tool of each action, an index into `byTool`
 * @param byTool - probability of each tool; they sum to 1
 */
export function mixTools(policy: Numbers, tools: Numbers, byTool: Numbers, share: number): number[] {
  checkDistribution('policy', policy);
  checkDistribution('byTool', byTool);
  sameLength({ policy, tools });
  allInRange('tools', tools, { min: 0, max: byTool.length - 1, whole: true });
  inRange('share', share, { min: 0, max: 1 });
  return Array.from(proposal.mixTools(policy, Array.from(tools), new Map(Array.from(byTool).entries()), share));
}

/** The policy with the actions of these indices `nats` less likely, normalised again; nats 2. */
export function penalise(policy: Numbers, actions: Numbers, nats = 2): number[] {
  checkDistribution('policy', policy);
  finite({ actions });
  allInRange('actions', actions, { min: 0, max: policy.length - 1, whole: true });
  inRange('nats', nats, { min: 0 });
  return Array.from(proposal.penalise(policy, new Set(Array.from(actions)), nats));
}
