/** From a flattened batch with its decisions to the loss and the gradient of every parameter. */
import * as tf from '@tensorflow/tfjs-core';
import type { AlgorithmConfig } from '../../algo/config.ts';
import { methodOf } from '../../algo/registry.ts';
import { MillraceError } from '../../errors.ts';
import type { FlatBatch } from '../planner/flatten.ts';
import type { Planner } from '../planner/planner.ts';
import { addStatistics } from './statistics.ts';
import { criticLoss } from './critic.ts';
import { type DecisionTable, policyLoss, type LossStatistics } from './loss.ts';
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

/** What {@link backward} returns. */
export interface Backward {
  /** In the order of `policy.layout`; undefined for a parameter that no observation of the batch uses. */
  gradients: (tf.Tensor | undefined)[];
  /** Sum of weight x loss. */
  loss: number;
  statistics: LossStatistics;
}

/** Loss of a batch and its gradients. Call within a tidy: the gradients are the caller's tensors. */
export function backward(policy: Planner, { flat, temperature, table }: PreparedBatch, algorithm: AlgorithmConfig): Backward {
  const method = methodOf(algorithm);
  const statistics: LossStatistics = {};
  // One node of the tape for each output, whose value and derivative are computed outside tfjs: the algorithm stays a pure
  // function.
  const loss = outside((scores) => {
    const computed = policyLoss(scores, flat.actionStart, temperature, table, method, algorithm);
    addStatistics(statistics, computed.statistics);
    return computed;
  });
  const critic = outside((values) => {
    const computed = criticLoss(values, table, algorithm);
    addStatistics(statistics, { ...computed.statistics, loss: computed.loss });
    return computed;
  });
  const total = (): tf.Scalar => {
    const { scores, values } = policy.outputs(flat);
    return values ? tf.add(loss(scores), critic(values)) : loss(scores);
  };
  const { grads } = tf.engine().gradients(total, policy.tensors(), undefined, true);
  const gradients = grads.map((gradient) => (gradient as tf.Tensor | null) ?? undefined);
  return { gradients, loss: statistics.loss ?? 0, statistics };
}

/** A scalar operation from a function of numbers that also gives its derivative. */
function outside(compute: (x: Float32Array) => { loss: number; derivative: Float32Array }): (x: tf.Tensor1D) => tf.Scalar {
  const op = tf.customGrad((x: tf.Tensor | tf.GradSaveFunc) => {
    const { loss, derivative } = compute((x as tf.Tensor).dataSync() as Float32Array);
    return {
      value: tf.scalar(loss),
      gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.tensor1d(derivative)),
    };
  });
  return (x) => op(x) as tf.Scalar;
}

/** Columns that only some methods have. */
const EXTRAS = ['proximal', 'reference', 'target', 'value', 'slope'] as const;
type Extra = (typeof EXTRAS)[number];

function decisionTable(batch: readonly Piece[], flat: FlatBatch): DecisionTable {
  const n = batch.reduce((sum, piece) => sum + piece.decisions.length, 0);
  const column = (): Float64Array => new Float64Array(n);
  const used = (name: Extra): boolean =>
    batch.some(({ decisions }) => decisions.some((decision) => !Number.isNaN(decision[name] ?? Number.NaN)));
  const extras = EXTRAS.filter(used);
  const table: DecisionTable = {
    observation: new Int32Array(n),
    action: new Int32Array(n),
    oldLogProb: column(),
    advantage: column(),
    weight: column(),
    ...Object.fromEntries(extras.map((name) => [name, column()])),
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
      for (const name of extras) table[name]![d] = decision[name] ?? Number.NaN;
      d++;
    }
  });
  return table;
}
