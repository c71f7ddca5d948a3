/**
 * The planner network: a score for every open action of many observations at once.
 *
 * item    = tanh(W [its text ; the whole text's state where it stands ; its flags])
 * context = tanh(W [the whole text ; mean of the items ; state flags])
 * tuple   = tanh(sum_j W_j item_j + W context + b), for every distinct argument tuple, per arity
 * score   = tuple . U[tool] + b[tool] + mlp(action flags)[tool] + action flags . W[tool]
 *
 * All observations lie side by side (flatten.ts); rows are gathered, nothing is padded.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { PlannerSpec } from './spec.ts';
import { hasKernel, numbered, runKernel } from '../../compute/fused.ts';
import { toolColumns, type FlatBatch } from './flatten.ts';
import { headTensors } from './layout.ts';
import { beside, dense, indices, matrix, segmentSum, take, weight, type TensorMap } from './ops.ts';

/** Text vectors as the head needs them. */
export interface TextVectors {
  /** [distinct texts, width] */
  pooled: tf.Tensor2D;
  /** [items, width]: the whole text's state where the item stands, zeros when nowhere. */
  at: tf.Tensor2D;
}

/** Scores of all actions, observation after observation: a vector of length `flat.actionStart[O]`. */
export function actionScores(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch, texts: TextVectors): tf.Tensor1D {
  return hasKernel('PlannerHead') ? fusedScores(spec, weights, flat, texts) : composedScores(spec, weights, flat, texts);
}

/** The whole head in one kernel each way. */
function fusedScores(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch, { pooled, at }: TextVectors): tf.Tensor1D {
  const { hidden, features, tools } = spec;
  const attrs = { hidden, features, tools: tools.length, toolsByArity: toolColumns(spec).count, flat };
  const op = tf.customGrad((...args) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [pooled, at, ...own] = args as tf.Tensor[];
    const inputs = { pooled: pooled!, at: at!, ...numbered(own) };
    const [scores, trace] = runKernel<tf.Tensor[]>('PlannerHead', inputs, attrs);
    save([trace!, pooled!, at!, ...own]);
    return {
      value: scores!,
      gradFunc: (dy: tf.Tensor, [trace, pooled, at, ...own]: tf.Tensor[]) => {
        const inputs = { dy, trace: trace!, pooled: pooled!, at: at!, ...numbered(own) };
        return runKernel<tf.Tensor[]>('PlannerHeadGrad', inputs, attrs);
      },
    };
  });
  return op(pooled, at, ...headTensors(spec).map(({ name }) => weight(weights, name))) as tf.Tensor1D;
}

/** The same from ordinary operations, for backends without the fused kernels. */
function composedScores(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch, texts: TextVectors): tf.Tensor1D {
  const { features, hidden } = spec;
  const items = itemVectors(spec, weights, flat, texts);
  const observationText = take(texts.pooled, indices(flat.observationText));
  const state = matrix(flat.state, flat.observations, features.state);
  const mean = items
    ? tf.mul<tf.Tensor2D>(
        segmentSum(items, indices(flat.itemObservation), flat.observations),
        matrix(flat.itemShare, flat.observations, 1),
      )
    : tf.zeros<tf.Rank.R2>([flat.observations, hidden]);
  const context = dense(weights, 'context', beside([observationText, mean, state]), 'tanh');

  const scores: tf.Tensor1D[] = [];
  flat.tuples.forEach((tuples, arity) => {
    if (tuples.count === 0) return;
    let sum = take(dense(weights, `arity${arity}.context`, context), indices(tuples.observation));
    for (let j = 0; j < arity; j++) {
      sum = tf.add<tf.Tensor2D>(sum, take(dense(weights, `arity${arity}.item${j}`, items!), indices(tuples.args[j]!)));
    }
    scores.push(tf.reshape(dense(weights, `arity${arity}.tools`, tf.tanh(sum)), [-1]));
  });
  const byTuple = take(scores.length === 1 ? scores[0]! : tf.concat1d(scores), indices(flat.actionScore));
  return features.action === 0 ? byTuple : tf.add(byTuple, flagScores(spec, weights, flat));
}

function itemVectors(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch, texts: TextVectors): tf.Tensor2D | undefined {
  if (flat.items === 0) return undefined;
  const own = take(texts.pooled, indices(flat.itemText));
  const flags = matrix(flat.itemFlags, flat.items, spec.features.item);
  return dense(weights, 'item', beside([own, texts.at, flags]), 'tanh');
}

/** What the action's own flags say, computed once for each distinct row of flags. */
function flagScores(spec: PlannerSpec, weights: TensorMap, flat: FlatBatch): tf.Tensor1D {
  const rows = matrix(flat.rows, flat.rowCount, spec.features.action);
  const hidden = dense(weights, 'action.hidden2', dense(weights, 'action.hidden1', rows, 'tanh'), 'tanh');
  const byTool = tf.add(dense(weights, 'action.tools', hidden), dense(weights, 'action.linear', rows));
  return take(tf.reshape(byTool, [-1]), indices(flat.actionFeature));
}
