import { adapterTensors, type AdapterShape } from '../adapter/shape.ts';
import { layoutOf, type ModelConfig, type ModelTensor } from '../config.ts';

/** What of a model is trained: an adapter of this shape, or all weights. */
export type Training = AdapterShape | 'all';

/** The trained tensors in their order: those of `adapterTensors`, or of `layoutOf`. */
export function trainedTensors(config: ModelConfig, training: Training): ModelTensor[] {
  return training === 'all' ? layoutOf(config) : adapterTensors(config, training);
}

/** How many numbers they have. */
export function trainedSize(config: ModelConfig, training: Training): number {
  return trainedTensors(config, training).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

/** Numbers of a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
