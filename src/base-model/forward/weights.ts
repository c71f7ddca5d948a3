import * as tf from '@tensorflow/tfjs-core';
import type { BaseModel } from '../base-model.ts';
import { layerTensor, layoutOf, type ModelConfig } from '../config.ts';

/** Product weights [out, in] and a bias [out]. */
export interface Linear {
  weight: tf.Tensor2D;
  bias: tf.Tensor1D | undefined;
}

/** Weights of one layer. */
export interface LayerWeights {
  attentionNorm: tf.Tensor1D;
  q: Linear;
  k: Linear;
  v: Linear;
  o: Linear;
  /** Gains of the norms of queries and keys [headSize], in models that have them. */
  qNorm: tf.Tensor1D | undefined;
  kNorm: tf.Tensor1D | undefined;
  feedForwardNorm: tf.Tensor1D;
  gate: tf.Tensor2D;
  up: tf.Tensor2D;
  down: tf.Tensor2D;
}

/** Frozen weights as tensors of the current backend. */
export interface ModelWeights {
  config: ModelConfig;
  /** [vocabulary, width]. */
  embedding: tf.Tensor2D;
  layers: readonly LayerWeights[];
  norm: tf.Tensor1D;
  /** [vocabulary, width]; the embedding itself in tied models. */
  head: tf.Tensor2D;
  dispose(): void;
}

/** Reads all weights of a model into the current backend, tensor by tensor. Throws as {@link BaseModel.readTensor} does. */
export async function loadWeights(model: BaseModel): Promise<ModelWeights> {
  const { config } = model;
  const tensors = new Map<string, tf.Tensor>();
  try {
    for (const { name, shape } of layoutOf(config)) {
      tensors.set(name, tf.keep(tf.tensor(await model.readTensor(name), [...shape], 'float32')));
    }
  } catch (error) {
    tensors.forEach((tensor) => tensor.dispose());
    throw error;
  }
  return weightsOf(config, tensors);
}

/** Weights of these tensors, all that `layoutOf` names; they are disposed of together. */
export function weightsOf(config: ModelConfig, tensors: ReadonlyMap<string, tf.Tensor>): ModelWeights {
  const matrix = (name: string): tf.Tensor2D => tensors.get(name) as tf.Tensor2D;
  const vector = (name: string): tf.Tensor1D | undefined => tensors.get(name) as tf.Tensor1D | undefined;
  const embedding = matrix('model.embed_tokens.weight');
  return {
    config,
    embedding,
    layers: Array.from({ length: config.layers }, (_, layer) => layerOf(layer, matrix, vector)),
    norm: vector('model.norm.weight')!,
    head: config.tied ? embedding : matrix('lm_head.weight'),
    dispose: () => tensors.forEach((tensor) => tensor.dispose()),
  };
}

function layerOf(
  layer: number,
  matrix: (name: string) => tf.Tensor2D,
  vector: (name: string) => tf.Tensor1D | undefined,
): LayerWeights {
  const linear = (name: string): Linear => ({
    weight: matrix(layerTensor(layer, `self_attn.${name}_proj.weight`)),
    bias: vector(layerTensor(layer, `self_attn.${name}_proj.bias`)),
  });
  return {
    attentionNorm: vector(layerTensor(layer, 'input_layernorm.weight'))!,
    ...{ q: linear('q'), k: linear('k'), v: linear('v'), o: linear('o') },
    qNorm: vector(layerTensor(layer, 'self_attn.q_norm.weight')),
    kNorm: vector(layerTensor(layer, 'self_attn.k_norm.weight')),
    feedForwardNorm: vector(layerTensor(layer, 'post_attention_layernorm.weight'))!,
    gate: matrix(layerTensor(layer, 'mlp.gate_proj.weight')),
    up: matrix(layerTensor(layer, 'mlp.up_proj.weight')),
    down: matrix(layerTensor(layer, 'mlp.down_proj.weight')),
  };
}
