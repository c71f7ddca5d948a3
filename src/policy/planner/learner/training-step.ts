import * as tf from '@tensorflow/tfjs-core';
import type { AlgorithmConfig, OptimizerConfig } from '../../../algo/config.ts';
import { adamWState } from '../../../algo/optim/adamw.ts';
import { adamW, copyScaled } from '../../../compute/arrays.ts';
import { tableLoss, tableOf, type TokenTable } from '../../learner/loss.ts';
import type { PlannerPolicy } from '../planner.ts';
import { backward } from './backward.ts';
import { decisionBatch, type DecisionBatch, type DecisionPiece } from './batch.ts';

/** A batch with what its loss needs. */
export interface PreparedBatch extends DecisionBatch {
  table: TokenTable;
}

/** Decisions of one group with what they refer to and what their loss needs. */
export interface Piece extends DecisionPiece {
  decisions: (DecisionPiece['decisions'][number] & { oldLogProb: number; advantage: number; weight: number })[];
}

/** Lays pieces side by side. `invalid_argument` when a decision chose an action its observation does not have. */
export function prepareBatch(policy: Pick<PlannerPolicy, 'flatten'>, pieces: readonly Piece[]): PreparedBatch {
  return { ...decisionBatch(policy, pieces), table: tableOf(pieces.flatMap(({ decisions }) => decisions)) };
}

/** Loss and gradient of a batch as means over its decisions. */
export interface MeanGradient {
  loss: number;
  /** Same layout as Parameters.values; the next gradient is written over it. */
  gradient: Float32Array;
}

/**
 * Trains one planner in one process, step by step on prepared batches: forward, loss, backward and AdamW.
 *
 * The cluster splits these between learners and the parameter server; this is the same arithmetic in one place, for
 * measuring it. The gradient is not clipped and the learning rate stays as it is.
 */
export class SingleProcessTrainer {
  private readonly values: Float32Array;
  private readonly state;
  private readonly mean: Float32Array;

  constructor(
    private readonly policy: PlannerPolicy,
    private readonly algorithm: AlgorithmConfig,
    private readonly optimizer: OptimizerConfig,
  ) {
    this.values = policy.parameters().values;
    this.state = adamWState(this.values.length);
    this.mean = new Float32Array(this.values.length);
  }

  /** Mean loss and gradient; changes nothing. */
  gradient(batch: PreparedBatch): MeanGradient {
    const { weight } = batch.table;
    const share = 1 / weight.reduce((sum, each) => sum + each, 0);
    const gradient = this.mean;
    const loss = tf.tidy(() => {
      let loss = 0;
      const gradients = backward(this.policy, batch, (inputs) => {
        const computed = tableLoss(inputs, batch.table, this.algorithm);
        loss = computed.loss;
        return computed.derivatives;
      });
      this.policy.layout.forEach(({ offset, size }, index) => {
        const of = gradients[index];
        if (of) copyScaled(of, share, gradient, offset);
        else gradient.fill(0, offset, offset + size);
      });
      return loss;
    });
    return { loss: loss * share, gradient };
  }

  /** One update; returns the mean loss before it. */
  step(batch: PreparedBatch): number {
    const { loss, gradient } = this.gradient(batch);
    adamW(this.values, gradient, this.state, this.optimizer);
    this.policy.load(this.values);
    return loss;
  }

  /** Scores of all actions of a batch, texts encoded anew. */
  scores(batch: PreparedBatch): Float32Array {
    const scores = tf.tidy(() => this.policy.scores(batch.flat));
    const values = scores.dataSync() as Float32Array;
    scores.dispose();
    return values;
  }
}

/** What the present backend holds: tensors and their bytes. */
export function tensorMemory(): { tensors: number; bytes: number } {
  const { numTensors, numBytes } = tf.memory();
  return { tensors: numTensors, bytes: numBytes };
}
