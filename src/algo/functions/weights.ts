/** Weights of decisions as plain functions, arguments checked (`invalid_argument` with the field): corrections and aggregation. */
import * as weighing from '../aggregation/weights.ts';
import { allInRange, array, columns, finite, inRange, oneOf, wrong } from '../check.ts';
import { correctionWeights as correct, type CorrectionOptions } from '../correction/weights.ts';
import { proximalWeights as proximalTo } from '../decoupled-ppo/loss.ts';
import type { CorrectionConfig } from '../schema/fields.ts';

type Numbers = ArrayLike<number>;
const MODES = ['trajectory', 'decision', 'token', 'constant'];

/** The options of a correction with its defaults filled in, checked. */
export function checkCorrection({
  kind = 'truncate',
  level = 'decision',
  cap,
  low = 0.5,
  high = 2,
}: CorrectionOptions): CorrectionConfig {
  oneOf('kind', kind, ['none', 'truncate', 'mask']);
  oneOf('level', level, ['decision', 'trajectory']);
  if (cap !== undefined) inRange('cap', cap, { above: 0 });
  inRange('low', low, { min: 0 });
  inRange('high', high, { min: low });
  return { kind, level, cap, low, high };
}

/** Weights pi_proximal / pi_behaviour of the decisions of one trajectory, truncated (the default) or masked. See {@link correct}. */
export function correctionWeights(proximal: Numbers, behaviour: Numbers, options: CorrectionOptions = {}): number[] {
  columns({ proximal, behaviour });
  return correct(proximal, behaviour, checkCorrection(options));
}

/** Weights of decoupled PPO, min(pi_proximal / pi_behaviour, cap), one per decision; cap 2. */
export function proximalWeights(proximal: Numbers, behaviour: Numbers, cap = 2): number[] {
  columns({ proximal, behaviour });
  inRange('cap', cap, { above: 0 });
  return Array.from(proximalTo(proximal, behaviour, cap));
}

function checkLengths(lengths: Numbers, aggregation: string, constantLength: number): void {
  allInRange('lengths', lengths, { min: 0, whole: true });
  oneOf('aggregation', aggregation, MODES);
  inRange('constantLength', constantLength, { min: 1 });
}

/** Weight of every decision of trajectories of these lengths. See {@link weighing.decisionWeights}. */
export function decisionWeights(lengths: Numbers, aggregation: weighing.Aggregation, constantLength = 1): number[] {
  checkLengths(lengths, aggregation, constantLength);
  return Array.from(weighing.decisionWeights(Array.from(lengths), aggregation, constantLength));
}

/** The same for groups, `[group][trajectory]`, with what sums are divided by. See {@link weighing.weighDecisions}. */
export function weighDecisions(
  lengths: readonly Numbers[],
  aggregation: weighing.Aggregation,
  constantLength = 1,
): { weights: number[]; total: number } {
  array('lengths', lengths);
  lengths.forEach((group) => checkLengths(group, aggregation, constantLength));
  const groups = lengths.map((group) => Array.from(group));
  const { weights, total } = weighing.weighDecisions(groups, aggregation, constantLength);
  return { weights: Array.from(weights), total };
}

/**
 * One number of the losses of decisions, `[trajectory][decision]`: sum of weight x loss / total, with weights and total of
 * {@link weighDecisions}. 'trajectory': the mean over trajectories of the means over their decisions; 'decision': the mean over all
 * decisions; 'constant': the sum over all decisions / (trajectories x constantLength). Trajectories without decisions do not count;
 * without any decision it is 0.
 */
export function aggregate(
  losses: readonly Numbers[],
  aggregation: weighing.Aggregation,
  { constantLength }: { constantLength?: number } = {},
): number {
  array('losses', losses);
  losses.forEach((of, i) => finite({ [`losses[${i}]`]: of }));
  if (aggregation === 'constant' && constantLength === undefined) {
    throw wrong('constantLength', 'aggregation constant divides by it: the most decisions that a trajectory may have');
  }
  const { weights, total } = weighDecisions([losses.map(({ length }) => length)], aggregation, constantLength);
  const flat = losses.flatMap((of) => Array.from(of));
  return total === 0 ? 0 : flat.reduce((sum, loss, d) => sum + loss * weights[d]!, 0) / total;
}
