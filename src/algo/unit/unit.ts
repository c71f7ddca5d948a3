/**
 * What a method's formulas run over: single tokens, or whole decisions. Methods see flat columns and know nothing of it; here they
 * are folded into one entry a decision before a method sees them, and what it answers is spread over the decision's tokens.
 *
 * A decision's log-probability is the sum over its tokens, so that its ratio is the product of theirs. Where every decision is one
 * token long, as a planner's are, both units are the same to the last bit.
 */
import type { Weights } from '../aggregation/weights.ts';
import type { AlgorithmConfig } from '../config.ts';
import type { LossColumns, LossResult, Method, RoundAdvantages, RoundGroup } from '../method.ts';

/** What has a probability ratio, a clip and a weight of its own. */
export type Unit = 'token' | 'decision';

/** The unit of these options; methods that have no such option run over tokens. */
export function unitOf(config: AlgorithmConfig): Unit {
  return 'unit' in config ? config.unit : 'token';
}

/**
 * Weights of all tokens of a shard, by {@link Method.weigh}. With `unit: decision` each decision is weighed like a single token, and
 * its tokens share its weight evenly.
 */
export function weighUnits(
  method: Method,
  lengths: readonly (readonly (readonly number[])[])[],
  config: AlgorithmConfig,
): Weights {
  if (unitOf(config) === 'token') return method.weigh(lengths, config);
  const { weights, total } = method.weigh(
    lengths.map((group) => group.map((trajectory) => trajectory.map(() => 1))),
    config,
  );
  const spread = lengths.flat(2).flatMap((length, d) => new Array<number>(length).fill(weights[d]! / length));
  return { weights: Float64Array.from(spread), total };
}

/** Columns over tokens. */
export interface TokenColumns extends LossColumns {
  /** Where each decision begins, and the end of the last one; decisions are whole. */
  decisionStart: ArrayLike<number>;
}

/** Loss of a method and its derivative with respect to the log-probability of every token. */
export function unitLoss(method: Method, { decisionStart, ...columns }: TokenColumns, config: AlgorithmConfig): LossResult {
  if (unitOf(config) === 'token') return method.loss(columns, config);
  const { derivative, ...sums } = method.loss(foldColumns(columns, decisionStart), config);
  const tokens = new Float64Array(columns.logProbs.length);
  derivative.forEach((value, d) => tokens.fill(value, decisionStart[d], decisionStart[d + 1]));
  return { ...sums, derivative: tokens };
}

/** Advantages of every token of a round, by the method's `roundAdvantages`. */
export function unitAdvantages(
  method: Method,
  round: readonly RoundGroup[],
  config: AlgorithmConfig,
): RoundAdvantages | undefined {
  if (unitOf(config) === 'token') return method.roundAdvantages?.(round, config);
  const answer = method.roundAdvantages?.(round.map(foldGroup), config);
  if (answer === undefined) return undefined;
  const spread = (of: readonly number[][][]): number[][][] =>
    of.map((group, g) => group.map((decisions, i) => repeat(decisions, round[g]!.decisionLengths?.[i])));
  const { advantages, targets, statistics } = answer;
  return {
    advantages: spread(advantages),
    ...(targets && { targets: spread(targets) }),
    ...(statistics && { statistics }),
  };
}

/** One entry a decision: sums of log-probabilities and weights, the first token's advantage, which all of its tokens have. */
function foldColumns(columns: LossColumns, start: ArrayLike<number>): LossColumns {
  const sums = (values: ArrayLike<number>): Float64Array => fold(values, start);
  const { proximal, reference, trajectoryStart } = columns;
  return {
    ...columns,
    logProbs: sums(columns.logProbs),
    behaviour: sums(columns.behaviour),
    ...(proximal && { proximal: sums(proximal) }),
    ...(reference && { reference: sums(reference) }),
    advantages: Float64Array.from({ length: start.length - 1 }, (_, d) => columns.advantages[start[d]!]!),
    weights: sums(columns.weights),
    ...(trajectoryStart && { trajectoryStart: placesOf(trajectoryStart, start) }),
  };
}

/** The group with one entry a decision; read when it is asked for, as the group itself may be. */
function foldGroup(group: RoundGroup): RoundGroup {
  const { decisionLengths: _, values, proximal, reference, ...rest } = group;
  const folded = (column: readonly (readonly number[])[], one: (tokens: readonly number[]) => number): number[][] =>
    column.map((tokens, i) => {
      let at = 0;
      return (group.decisionLengths?.[i] ?? tokens.map(() => 1)).map((length) => one(tokens.slice(at, (at += length))));
    });
  return {
    ...rest,
    behaviour: folded(group.behaviour, total),
    // A state is valued before the decision's first token.
    ...(values && { values: folded(values, ([first]) => first!) }),
    ...(proximal && { proximal: folded(proximal, total) }),
    ...(reference && { reference: folded(reference, total) }),
  };
}

function fold(values: ArrayLike<number>, start: ArrayLike<number>): Float64Array {
  const result = new Float64Array(Math.max(0, start.length - 1));
  for (let d = 0; d < result.length; d++) for (let t = start[d]!; t < start[d + 1]!; t++) result[d]! += values[t]!;
  return result;
}

/** Boundaries in tokens as boundaries in decisions. */
function placesOf(boundaries: ArrayLike<number>, start: ArrayLike<number>): Int32Array {
  let d = 0;
  return Int32Array.from(boundaries, (token) => {
    while (start[d]! < token) d += 1;
    return d;
  });
}

function repeat(values: readonly number[], lengths: readonly number[] | undefined): number[] {
  if (lengths === undefined) return [...values];
  return values.flatMap((value, d) => new Array<number>(lengths[d]!).fill(value));
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
