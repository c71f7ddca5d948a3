import * as tf from '@tensorflow/tfjs-core';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { accumulate } from '../../compute/arrays.ts';
import { MillraceError } from '../../errors.ts';
import { Planner } from '../planner/planner.ts';
import type { GradientSum, LearnerGroup, Policy } from '../policy.ts';
import { backward, prepareBatch, type PreparedBatch } from './backward.ts';
import type { PolicyLoss } from './loss.ts';
import { type Piece, pieces, takePieces } from './micro-batches.ts';
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
  const accumulator = new Accumulator(planner(policy), algorithm);
  const queue = pieces(groups, algorithm.aggregation);
  while (queue.length > 0) accumulator.add(takePieces(queue, options.maxDecisions ?? DEFAULT_DECISIONS));
  return accumulator.finish();
}

/** Like {@link computeGradients}, with a turn of the event loop after each micro-batch, so that heartbeats live. */
export async function computeGradientsInSlices(
  policy: Policy,
  groups: readonly LearnerGroup[],
  algorithm: AlgorithmConfig,
  options: SliceOptions = {},
): Promise<ComputedGradient> {
  const { targetMs, signal } = options;
  const accumulator = new Accumulator(planner(policy), algorithm);
  const queue = pieces(groups, algorithm.aggregation);
  let limit = options.maxDecisions ?? DEFAULT_DECISIONS;
  while (queue.length > 0) {
    if (signal?.aborted) throw new MillraceError('cancelled', 'the gradient is no longer wanted', { cause: signal.reason });
    const batch = takePieces(queue, limit);
    const milliseconds = accumulator.add(batch);
    if (targetMs !== undefined) {
      const decisions = batch.reduce((sum, piece) => sum + piece.decisions.length, 0);
      const fitting = (decisions * targetMs) / Math.max(1, milliseconds);
      limit = Math.round(Math.min(MOST_DECISIONS, 2 * limit, Math.max(FEWEST_DECISIONS, fitting)));
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return accumulator.finish();
}

class Accumulator {
  private readonly gradient: Float64Array;
  private readonly statistics: Record<string, number> = {};
  private weight = 0;
  private decisions = 0;
  private longestBlockMs = 0;

  constructor(
    private readonly policy: Planner,
    private readonly algorithm: AlgorithmConfig,
  ) {
    this.gradient = new Float64Array(policy.layout.reduce((sum, tensor) => sum + tensor.size, 0));
  }

  /** Adds a micro-batch and returns how many milliseconds it took. */
  add(batch: readonly Piece[]): number {
    const begun = performance.now();
    const prepared = prepareBatch(this.policy, batch);
    const statistics = tf.tidy(() => this.backward(prepared));
    addStatistics(this.statistics, statistics);
    const { weight } = prepared.table;
    this.weight += weight.reduce((sum, each) => sum + each, 0);
    this.decisions += weight.length;
    const milliseconds = performance.now() - begun;
    this.longestBlockMs = Math.max(this.longestBlockMs, milliseconds);
    return milliseconds;
  }

  finish(): ComputedGradient {
    return {
      gradient: Float32Array.from(this.gradient),
      weight: this.weight,
      decisions: this.decisions,
      statistics: this.statistics,
      longestBlockMs: this.longestBlockMs,
    };
  }

  private backward(batch: PreparedBatch): PolicyLoss['statistics'] {
    const { gradients, result } = backward(this.policy, batch, this.algorithm);
    this.policy.layout.forEach(({ offset }, index) => {
      const of = gradients[index];
      if (of) accumulate(of, this.gradient, offset);
    });
    return result.statistics;
  }
}

function planner(policy: Policy): Planner {
  if (policy instanceof Planner) return policy;
  throw new MillraceError(
    'unimplemented',
    `gradients of a policy of kind ${policy.spec.kind} are only known for planners made by createPlanner`,
  );
}
