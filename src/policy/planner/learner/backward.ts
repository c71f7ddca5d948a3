import * as tf from '@tensorflow/tfjs-core';
import type { TokenLoss } from '../../kind.ts';
import type { PlannerPolicy } from '../planner.ts';
import type { DecisionBatch } from './batch.ts';
import { decided, scoreDerivatives, valueDerivatives } from './scores.ts';

/**
 * Gradients of a loss of a batch, in the order of `policy.layout`; undefined for a parameter that no observation of the batch uses.
 * Call within a tidy: the gradients are the caller's tensors.
 */
export function backward(policy: PlannerPolicy, batch: DecisionBatch, loss: TokenLoss): (tf.Tensor | undefined)[] {
  const total = (): tf.Scalar => {
    const { scores, values } = policy.outputs(batch.flat);
    const now = decided(batch, numbers(scores), values && numbers(values));
    const derivatives = loss(now);
    const ofScores = outside(scores, scoreDerivatives(batch, now, derivatives));
    return values ? tf.add(ofScores, outside(values, valueDerivatives(batch, derivatives))) : ofScores;
  };
  const { grads } = tf.engine().gradients(total, policy.tensors(), undefined, true);
  return grads.map((gradient) => (gradient as tf.Tensor | null) ?? undefined);
}

const numbers = (tensor: tf.Tensor): Float32Array => tensor.dataSync() as Float32Array;

/**
 * A node of the tape whose derivative was computed outside tfjs, so that the algorithm stays a pure function. Its value is of no
 * interest: statistics have the loss.
 */
function outside(x: tf.Tensor1D, derivative: Float32Array): tf.Scalar {
  const op = tf.customGrad(() => ({
    value: tf.scalar(0),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.tensor1d(derivative)),
  }));
  return op(x) as tf.Scalar;
}
