import * as tf from '@tensorflow/tfjs-core';
import type { PlannerSpec } from './spec.ts';
import type { FlatBatch } from './flatten.ts';
import type { TextVectors } from './network.ts';
import { beside, dense, indices, matrix, segmentSum, take, type TensorMap } from './ops.ts';

/**
 * Value of every observation, [O]: what return the policy expects from here.
 *
 * value = mlp([the whole text ; mean of the items' texts ; state flags ; mean of the items' flags]). It shares the text encoder
 * with the action scores and nothing else: what the head of the scores makes of the items depends on what is asked of it.
 */
export function stateValues(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch, { pooled }: TextVectors): tf.Tensor1D {
  const { features } = spec;
  const text = take(pooled, indices(flat.observationText));
  const state = matrix(flat.state, flat.observations, features.state);
  const items = [
    ...(flat.items === 0 ? [] : [take(pooled, indices(flat.itemText))]),
    ...(flat.items === 0 || features.item === 0 ? [] : [matrix(flat.itemFlags, flat.items, features.item)]),
  ];
  const share = matrix(flat.itemShare, flat.observations, 1);
  const mean =
    items.length === 0
      ? tf.zeros<tf.Rank.R2>([flat.observations, pooled.shape[1] + features.item])
      : tf.mul<tf.Tensor2D>(segmentSum(beside(items), indices(flat.itemObservation), flat.observations), share);
  const hidden = dense(weights, 'value.hidden2', dense(weights, 'value.hidden1', beside([text, mean, state]), 'tanh'), 'tanh');
  return tf.reshape(dense(weights, 'value.out', hidden), [-1]);
}
