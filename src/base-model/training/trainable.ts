import * as tf from '@tensorflow/tfjs-core';
import { MillraceError } from '../../errors.ts';
import type { AdapterShape } from '../adapter/shape.ts';
import { layoutOf, type ModelConfig } from '../config.ts';
import { loadAdapter, type Adapter } from '../forward/adapter.ts';
import { weightsOf, type ModelWeights } from '../forward/weights.ts';
import { sizeOf, trainedSize } from './trained.ts';

/** A trained tensor and where its gradient belongs. */
export interface PlacedTensor {
  tensor: tf.Tensor;
  offset: number;
}

/** A model some of whose numbers are trained. They lie one after the other in a flat array; offsets are places in it. */
export interface TrainableModel {
  weights: ModelWeights;
  adapter: Adapter | undefined;
  /** Trained tensors of each layer. */
  layers: readonly (readonly PlacedTensor[])[];
  /** The gains of the last norm, if trained. */
  norm: PlacedTensor | undefined;
  /** Offsets of embedding and head, if trained; the same one where they are tied. */
  embedding: number | undefined;
  head: number | undefined;
  /** Disposes of the trained tensors; not of frozen weights. */
  dispose(): void;
}

/**
 * A frozen model with an adapter of these numbers.
 *
 * @param values - as many as {@link trainedSize} says, or `invalid_argument`
 */
export function adapterModel(weights: ModelWeights, shape: AdapterShape, values: Float32Array): TrainableModel {
  const { config } = weights;
  const adapter = loadAdapter(config, shape, values);
  const each = adapter.tensors.length / config.layers;
  let offset = 0;
  const placed = adapter.tensors.map((tensor): PlacedTensor => ({ tensor, offset: (offset += tensor.size) - tensor.size }));
  const layers = Array.from({ length: config.layers }, (_, layer) => placed.slice(layer * each, (layer + 1) * each));
  return {
    ...{ weights, adapter, layers },
    norm: undefined,
    embedding: undefined,
    head: undefined,
    dispose: () => adapter.dispose(),
  };
}

/** A model all of whose numbers are these. `invalid_argument` when there are more or fewer than {@link trainedSize} says. */
export function wholeModel(config: ModelConfig, values: Float32Array): TrainableModel {
  const size = trainedSize(config, 'all');
  if (values.length !== size)
    throw new MillraceError('invalid_argument', `the model has ${size} parameters, got ${values.length}`);
  const tensors = new Map<string, tf.Tensor>();
  const places = new Map<string, PlacedTensor>();
  let offset = 0;
  for (const { name, shape } of layoutOf(config)) {
    const tensor = tf.keep(tf.tensor(values.slice(offset, offset + sizeOf(shape)), [...shape], 'float32'));
    tensors.set(name, tensor);
    places.set(name, { tensor, offset });
    offset += tensor.size;
  }
  const layers = Array.from({ length: config.layers }, (_, layer) =>
    [...places].filter(([name]) => name.startsWith(`model.layers.${layer}.`)).map(([, place]) => place),
  );
  const embedding = places.get('model.embed_tokens.weight')!.offset;
  const weights = weightsOf(config, tensors);
  return {
    ...{ weights, adapter: undefined, layers, norm: places.get('model.norm.weight'), embedding },
    head: config.tied ? embedding : places.get('lm_head.weight')!.offset,
    dispose: () => weights.dispose(),
  };
}
