import type { AlgorithmConfig } from '../../algo/config.ts';
import { methodOf } from '../../algo/registry.ts';
import { unitOf } from '../../algo/unit/unit.ts';
import type { Clock } from '../../clock/clock.ts';
import { nextTurn } from '../../clock/turn.ts';
import { MillraceError } from '../../errors.ts';
import type { PolicyLearner, TokenLoss, TokenOutputs, TokensOf } from '../kind.ts';
import type { GradientSum, LearnerGroup } from '../policy.ts';
import { allTokens, weighedTokens, type GroupTokens } from './group-tokens.ts';
import { tableLoss, tableOf, type LossStatistics } from './loss.ts';
import { referred, takePieces } from './micro-batches.ts';
import { addStatistics } from './statistics.ts';
import { tokenLoss, type TokenBatch } from './token-loss.ts';

/** A gradient sum and how long its longest micro-batch held the event loop. */
export interface SlicedGradient extends GradientSum {
  longestBlockMs: number;
}

/** Options of {@link computeGradients}. */
export interface GradientOptions {
  /** Decisions in a micro-batch. Default 256. */
  maxDecisions?: number;
}

/** Options of {@link computeGradientsInSlices}. */
export interface SliceOptions {
  /** Measures the micro-batches. */
  clock: Clock;
  /** Decisions in a micro-batch, or in the first one when `targetMs` is given. Default 256. */
  maxDecisions?: number;
  /**
   * Milliseconds a micro-batch should take: their size follows the measured speed. The sums then depend on the clock in
   * their last bits; leave it out where two runs must agree exactly. Default: sizes are fixed.
   */
  targetMs?: number;
  /** Stops between two micro-batches with a `cancelled` error. */
  signal?: AbortSignal;
}

const DEFAULT_DECISIONS = 256;
const FEWEST_DECISIONS = 8;
const MOST_DECISIONS = 4096;

/**
 * Gradient of the algorithm's loss over groups, as sums: `gradient` = sum of weight x gradient, `weight` = sum of weights,
 * statistics likewise. Results of any split into groups add up to the same total.
 *
 * Groups whose advantages are all 0 add nothing, no weight either. The micro-batches are the same in every run, so the
 * result is, too. `invalid_argument` (with the field) when a group contradicts itself.
 */
export function computeGradients<P>(
  policy: PolicyLearner<P>,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
  options: GradientOptions = {},
): GradientSum {
  const limit = options.maxDecisions ?? DEFAULT_DECISIONS;
  const sum = new Accumulator(policy, groups, algorithm);
  while (finished(sum.step(limit)) !== undefined);
  return sum.finish();
}

/** Like {@link computeGradients}, with a turn of the event loop after each micro-batch, so that heartbeats live. */
export async function computeGradientsInSlices<P>(
  policy: PolicyLearner<P>,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
  options: SliceOptions,
): Promise<SlicedGradient> {
  const sum = new Accumulator(policy, groups, algorithm);
  const longestBlockMs = await inSlices((limit) => sum.step(limit), options);
  return { ...sum.finish(), longestBlockMs };
}

/** What the present weights say about groups. */
export interface ComputedEvaluation {
  /** One per decision of the valid trajectories: groups, trajectories and decisions in order. */
  logProbs: Float64Array;
  /** State values; empty without a critic. */
  values: Float64Array;
  longestBlockMs: number;
}

/** Log-probabilities and values of all decisions of groups under the present weights, a slice after the other. */
export async function evaluateInSlices<P>(
  policy: PolicyLearner<P>,
  groups: readonly LearnerGroup[],
  options: SliceOptions,
): Promise<ComputedEvaluation> {
  const queue = groups.map((group, index) => allTokens(policy, group, `groups[${index}]`));
  const evaluated: TokenOutputs[] = [];
  const step = function* (limit: number): Steps {
    const batch = takePieces(queue, limit, policy);
    if (batch.length === 0) return undefined;
    evaluated.push(yield* evaluating(policy, batch.map(referred)));
    return decisionsOf(batch);
  };
  const longestBlockMs = await inSlices(step, options);
  return {
    logProbs: joined(evaluated.map(({ logProbs }) => logProbs)),
    values: joined(evaluated.map(({ values }) => values ?? new Float64Array(0))),
    longestBlockMs,
  };
}

/** Computes a micro-batch in steps and says how many decisions it had; undefined when nothing is left. */
type Steps = Generator<void, number | undefined>;

/**
 * Runs `step` with sizes that follow the measured speed until it has nothing left, with a turn of the event loop after each of its steps. Returns
 * how many milliseconds the longest one took.
 */
async function inSlices(step: (limit: number) => Steps, options: SliceOptions): Promise<number> {
  const { clock, targetMs, signal } = options;
  let limit = options.maxDecisions ?? DEFAULT_DECISIONS;
  let longestMs = 0;
  for (;;) {
    const steps = step(limit);
    let milliseconds = 0;
    let decisions: number | undefined;
    try {
      for (let done: boolean | undefined = false; !done;) {
        if (signal?.aborted) throw new MillraceError('cancelled', 'the gradient is no longer wanted', { cause: signal.reason });
        const begun = clock.monotonic();
        const next = steps.next();
        const took = clock.monotonic() - begun;
        longestMs = Math.max(longestMs, took);
        milliseconds += took;
        if ((done = next.done)) decisions = next.value as number | undefined;
        else await nextTurn();
      }
    } finally {
      // Gives back what an unfinished one holds.
      steps.return(undefined);
    }
    if (decisions === undefined) return longestMs;
    if (targetMs !== undefined) {
      const fitting = (decisions * targetMs) / Math.max(1, milliseconds);
      limit = Math.round(Math.min(MOST_DECISIONS, 2 * limit, Math.max(FEWEST_DECISIONS, fitting)));
    }
    await nextTurn();
  }
}

function* evaluating<P>(policy: PolicyLearner<P>, batch: readonly TokensOf<P>[]): Generator<void, TokenOutputs> {
  return policy.evaluateInSteps ? yield* policy.evaluateInSteps(batch) : policy.evaluate(batch);
}

function* learning<P>(
  policy: PolicyLearner<P>,
  batch: readonly TokensOf<P>[],
  { loss, gradient }: { loss: TokenLoss; gradient: Float64Array },
): Generator<void, void> {
  if (policy.learnInSteps) yield* policy.learnInSteps(batch, loss, gradient);
  else policy.learn(batch, loss, gradient);
}

/** Runs all steps at once. */
function finished<T>(steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function decisionsOf(batch: readonly GroupTokens[]): number {
  return batch.reduce((sum, piece) => sum + piece.tokens.length, 0);
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The sums over a shard, micro-batch after micro-batch. Where a loss binds tokens together that may lie in different micro-batches
 * (those of a group, or of a decision), all tokens are evaluated first.
 */
class Accumulator<P> {
  private readonly gradient: Float64Array;
  private readonly statistics: LossStatistics = {};
  private readonly groups: readonly GroupTokens<P>[];
  private readonly batch: TokenBatch;
  private readonly toEvaluate: GroupTokens<P>[];
  private readonly evaluated: TokenOutputs[] = [];
  private readonly toLearn: GroupTokens<P>[];
  private decisions = 0;

  constructor(
    private readonly policy: PolicyLearner<P>,
    groups: readonly LearnerGroup[],
    private readonly algorithm: AlgorithmConfig,
  ) {
    this.gradient = new Float64Array(policy.size);
    const weighed = weighedTokens(policy, groups, algorithm);
    this.groups = weighed.groups;
    this.batch = weighed.batch;
    this.toLearn = [...this.groups];
    const { decisionStart, weights } = this.batch.columns;
    const ofSeveral = decisionStart.length - 1 < weights.length;
    const areBound = methodOf(algorithm).scope === 'group' || (ofSeveral && unitOf(algorithm) === 'decision');
    this.toEvaluate = areBound ? [...this.toLearn] : [];
  }

  /** Computes a micro-batch of about `limit` tokens and says how many it had; undefined when nothing is left. */
  *step(limit: number): Steps {
    const evaluates = this.toEvaluate.length > 0;
    const pieces = takePieces(evaluates ? this.toEvaluate : this.toLearn, limit, this.policy);
    if (pieces.length === 0) return undefined;
    if (evaluates) yield* this.evaluate(pieces);
    else yield* this.learn(pieces);
    return decisionsOf(pieces);
  }

  finish(): GradientSum {
    return {
      gradient: Float32Array.from(this.gradient),
      weight: this.batch.total,
      decisions: this.decisions,
      statistics: this.statistics,
    };
  }

  /**
   * Once the log-probabilities of all tokens are known, the loss is computed and each token gets its derivative. What follows is
   * linear in the log-probabilities and may be cut anywhere.
   */
  private *evaluate(pieces: readonly GroupTokens<P>[]): Generator<void, void> {
    this.evaluated.push(yield* evaluating(this.policy, pieces.map(referred)));
    if (this.toEvaluate.length > 0) return;
    const logProbs = joined(this.evaluated.map((outputs) => outputs.logProbs));
    const { loss, derivative, statistics } = tokenLoss(this.batch, logProbs, this.algorithm);
    this.groups.flatMap(({ tokens }) => tokens).forEach((token, t) => (token.slope = derivative[t]!));
    addStatistics(this.statistics, { loss, surrogate: loss, ...statistics });
  }

  private *learn(pieces: readonly GroupTokens<P>[]): Generator<void, void> {
    const table = tableOf(pieces.flatMap(({ tokens }) => tokens));
    const loss: TokenLoss = (inputs) => {
      const { derivatives, statistics } = tableLoss(inputs, table, this.algorithm);
      addStatistics(this.statistics, statistics);
      return derivatives;
    };
    yield* learning(this.policy, pieces.map(referred), { loss, gradient: this.gradient });
    this.decisions += table.weight.length;
  }
}
