/** From a flattened batch with its decisions to the loss and the gradient of every parameter. */
import * as tf from '@tensorflow/tfjs-core';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { MillraceError } from '../../errors.ts';
import type { FlatBatch } from '../planner/flatten.ts';
import type { Planner } from '../planner/planner.ts';
import { type DecisionTable, policyLoss, type PolicyLoss } from './loss.ts';
import type { Piece } from './micro-batches.ts';

/** Everything a gradient needs, decoded and laid side by side: what comes after it is tensor work alone. */
export interface PreparedBatch {
  flat: FlatBatch;
  /** One temperature per flat observation. */
  temperature: Float64Array;
  table: DecisionTable;
}

/** Decodes and flattens pieces. `invalid_argument` when a decision chose an action its observation does not have. */
export function prepareBatch(policy: Pick<Planner, 'flatten'>, batch: readonly Piece[]): PreparedBatch {
  const flat = policy.flatten(batch.map((piece) => piece.batch));
  const table = decisionTable(batch, flat);
  const temperature = new Float64Array(flat.observations);
  batch.forEach((piece, index) => flat.indices[index]!.forEach((o) => (temperature[o] = piece.temperature)));
  return { flat, temperature, table };
}

/**
 * Loss of a batch and its gradients in the order of `policy.layout`; undefined for a parameter that no observation of the
 * batch uses. Call within a tidy: the gradients are the caller's tensors.
 */
export function backward(
  policy: Planner,
  { flat, temperature, table }: PreparedBatch,
  algorithm: AlgorithmConfig,
): { gradients: (tf.Tensor | undefined)[]; result: PolicyLoss } {
  let result: PolicyLoss | undefined;
  // One node of the tape whose value and derivative are computed outside tfjs: the algorithm stays a pure function.
  const loss = tf.customGrad((scores: tf.Tensor | tf.GradSaveFunc) => {
    const values = (scores as tf.Tensor).dataSync() as Float32Array;
    const computed = policyLoss(values, flat.actionStart, temperature, table, algorithm);
    result = computed;
    return {
      value: tf.scalar(computed.loss),
      gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.tensor1d(computed.derivative)),
    };
  });
  const { grads } = tf.engine().gradients(() => loss(policy.scores(flat)), policy.tensors(), undefined, true);
  return { gradients: grads.map((gradient) => (gradient as tf.Tensor | null) ?? undefined), result: result! };
}

function decisionTable(batch: readonly Piece[], flat: FlatBatch): DecisionTable {
  const n = batch.reduce((sum, piece) => sum + piece.decisions.length, 0);
  const table: DecisionTable = {
    observation: new Int32Array(n),
    action: new Int32Array(n),
    oldLogProb: new Float64Array(n),
    advantage: new Float64Array(n),
    weight: new Float64Array(n),
  };
  let d = 0;
  batch.forEach((piece, index) => {
    for (const decision of piece.decisions) {
      const o = flat.indices[index]![decision.observation]!;
      const open = flat.actionStart[o + 1]! - flat.actionStart[o]!;
      if (decision.action >= open) {
        throw new MillraceError(
          'invalid_argument',
          `a decision chose action ${decision.action}, but its observation has ${open} open`,
        );
      }
      table.observation[d] = o;
      table.action[d] = decision.action;
      table.oldLogProb[d] = decision.oldLogProb;
      table.advantage[d] = decision.advantage;
      table.weight[d] = decision.weight;
      d++;
    }
  });
  return table;
}
