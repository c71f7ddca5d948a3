import * as tf from '@tensorflow/tfjs-core';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { nextTurn } from '../../clock/turn.ts';
import { accumulate } from '../../compute/arrays.ts';
import { MillraceError } from '../../errors.ts';
import { Planner } from '../planner/planner.ts';
import type { ObservationPolicy as Policy } from '../planner/observation-policy.ts';
import type { GradientSum, LearnerGroup } from '../policy.ts';
import { backward, prepareBatch, type PreparedBatch } from './backward.ts';
import { methodOf } from '../../algo/registry.ts';
import { allDecisions, weighedDecisions } from './decisions.ts';
import { bindGroups, look, type Looked } from './forward.ts';
import type { LossStatistics } from './loss.ts';
import { type Piece, takePieces } from './micro-batches.ts';
import { addStatistics } from './statistics.ts';

/** A gradient sum and how long its longest micro-batch held the event loop. */
export interface ComputedGradient extends GradientSum {
  longestBlockMs: number;
}

/** Options of {@link computeGradients}. */
export interface GradientOptions {
  /** Decisions in a micro-batch. Default 256. */
  maxDecisions?: number;
}

/** Options of {@link computeGradientsInSlices}. */
export interface SliceOptions {
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
export function computeGradients(
  policy: Policy,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
  options: GradientOptions = {},
): ComputedGradient {
  const limit = options.maxDecisions ?? DEFAULT_DECISIONS;
  const sum = new Accumulator(planner(policy), groups, algorithm);
  while (sum.step(limit) !== undefined);
  return sum.finish();
}

/** Like {@link computeGradients}, with a turn of the event loop after each micro-batch, so that heartbeats live. */
export async function computeGradientsInSlices(
  policy: Policy,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
  options: SliceOptions = {},
): Promise<ComputedGradient> {
  const sum = new Accumulator(planner(policy), groups, algorithm);
  await inSlices((limit) => sum.step(limit), options);
  return sum.finish();
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
export async function evaluateInSlices(
  policy: Policy,
  groups: readonly LearnerGroup[],
  options: SliceOptions = {},
): Promise<ComputedEvaluation> {
  const own = planner(policy);
  const queue = groups.map((group, index): Piece => allDecisions(group, `groups[${index}]`));
  const looked: Looked[] = [];
  let longestBlockMs = 0;
  const step = (limit: number): Slice | undefined => {
    const batch = takePieces(queue, limit);
    if (batch.length === 0) return undefined;
    const begun = performance.now();
    looked.push(look(own, batch));
    const slice = sliceOf(batch, begun);
    longestBlockMs = Math.max(longestBlockMs, slice.milliseconds);
    return slice;
  };
  await inSlices(step, options);
  return {
    logProbs: joined(looked.map(({ logProbs }) => logProbs)),
    values: joined(looked.map(({ values }) => values ?? new Float64Array(0))),
    longestBlockMs,
  };
}

/** A micro-batch that was computed. */
interface Slice {
  decisions: number;
  milliseconds: number;
}

/** Calls `step` with sizes that follow the measured speed until it has nothing left, with a turn of the event loop after each. */
async function inSlices(step: (limit: number) => Slice | undefined, options: SliceOptions): Promise<void> {
  const { targetMs, signal } = options;
  let limit = options.maxDecisions ?? DEFAULT_DECISIONS;
  for (;;) {
    if (signal?.aborted) throw new MillraceError('cancelled', 'the gradient is no longer wanted', { cause: signal.reason });
    const slice = step(limit);
    if (slice === undefined) return;
    if (targetMs !== undefined) {
      const fitting = (slice.decisions * targetMs) / Math.max(1, slice.milliseconds);
      limit = Math.round(Math.min(MOST_DECISIONS, 2 * limit, Math.max(FEWEST_DECISIONS, fitting)));
    }
    await nextTurn();
  }
}

function sliceOf(batch: readonly Piece[], begun: number): Slice {
  const decisions = batch.reduce((sum, piece) => sum + piece.decisions.length, 0);
  return { decisions, milliseconds: performance.now() - begun };
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
 * The sums over a shard, micro-batch after micro-batch. Where a method's loss binds the decisions of a group together, all of
 * them are looked at first.
 */
class Accumulator {
  private readonly gradient: Float64Array;
  private readonly statistics: LossStatistics = {};
  private readonly groups;
  private readonly tokens;
  private readonly toLook: Piece[];
  private readonly looked: Looked[] = [];
  private readonly toLearn: Piece[];
  private decisions = 0;
  private longestBlockMs = 0;

  constructor(
    private readonly policy: Planner,
    groups: readonly LearnerGroup[],
    private readonly algorithm: AlgorithmConfig,
  ) {
    this.gradient = new Float64Array(policy.layout.reduce((sum, tensor) => sum + tensor.size, 0));
    const weighed = weighedDecisions(groups, algorithm);
    this.groups = weighed.groups;
    this.tokens = weighed.tokens;
    this.toLearn = [...this.groups];
    this.toLook = methodOf(algorithm).scope === 'group' ? [...this.toLearn] : [];
  }

  /** Computes a micro-batch of about `limit` decisions; undefined when nothing is left. */
  step(limit: number): Slice | undefined {
    const begun = performance.now();
    const looking = this.toLook.length > 0;
    const batch = takePieces(looking ? this.toLook : this.toLearn, limit);
    if (batch.length === 0) return undefined;
    if (looking) this.look(batch);
    else this.learn(batch);
    const slice = sliceOf(batch, begun);
    this.longestBlockMs = Math.max(this.longestBlockMs, slice.milliseconds);
    return slice;
  }

  finish(): ComputedGradient {
    return {
      gradient: Float32Array.from(this.gradient),
      weight: this.tokens.total,
      decisions: this.decisions,
      statistics: this.statistics,
      longestBlockMs: this.longestBlockMs,
    };
  }

  private look(batch: readonly Piece[]): void {
    this.looked.push(look(this.policy, batch));
    if (this.toLook.length > 0) return;
    const logProbs = joined(this.looked.map((each) => each.logProbs));
    addStatistics(this.statistics, bindGroups(this.groups, this.tokens, logProbs, this.algorithm));
  }

  private learn(batch: readonly Piece[]): void {
    const prepared = prepareBatch(this.policy, batch);
    addStatistics(
      this.statistics,
      tf.tidy(() => this.backward(prepared)),
    );
    this.decisions += prepared.table.weight.length;
  }

  private backward(batch: PreparedBatch): LossStatistics {
    const { gradients, statistics } = backward(this.policy, batch, this.algorithm);
    this.policy.layout.forEach(({ offset }, index) => {
      const of = gradients[index];
      if (of) accumulate(of, this.gradient, offset);
    });
    return statistics;
  }
}

function planner(policy: Policy): Planner {
  if (policy instanceof Planner) return policy;
  throw new MillraceError(
    'unimplemented',
    `gradients of a policy of kind ${policy.spec.kind} are only known for planners made by createPlanner`,
  );
}
