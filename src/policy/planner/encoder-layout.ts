/** Parameters of the text encoders; apart from the encoders so that a layout can be had without tfjs. */
import type { PlannerSpec } from './spec.ts';
import { dense, type TensorPlan } from './tensor-plan.ts';

/** Name of the token embeddings. */
export const EMBEDDING = 'text.embedding';

/** Deviation of a token embedding; a bag of n tokens starts out with a deviation smaller by the root of n. */
const EMBEDDING_DEVIATION = 0.5;

/** Width of a transformer's feed-forward layer, as a multiple of its width. */
export const FEED_FORWARD = 2;

/** Parameters of the specification's encoder. */
export function encoderTensors(spec: PlannerSpec): TensorPlan[] {
  const { buckets, embed, encoder, width, layers, maxLength } = spec.text;
  const embedding: TensorPlan = { name: EMBEDDING, shape: [buckets, embed], initial: { normal: EMBEDDING_DEVIATION } };
  switch (encoder) {
    case 'bag':
      return [embedding];
    case 'gru': {
      const half = width / 2;
      const recurrent: TensorPlan['initial'] = { glorot: [half, half] };
      return [
        embedding,
        ...dense('text.gru.input', embed, 6 * half, { initial: { glorot: [embed, half] } }),
        ...dense('text.gru.forward', half, 3 * half, { initial: recurrent }),
        ...dense('text.gru.backward', half, 3 * half, { initial: recurrent }),
      ];
    }
    case 'transformer':
      return [
        embedding,
        { name: 'text.position', shape: [maxLength, width], initial: { normal: 0.2 } },
        ...dense('text.input', embed, width),
        ...Array.from({ length: layers }, (_, layer) => transformerLayer(`text.layer${layer}`, width)).flat(),
        ...norm('text.norm', width),
      ];
  }
}

/** Parameters of one transformer layer, in the order in which fused kernels take them. */
export function transformerLayer(name: string, width: number): TensorPlan[] {
  return [
    ...norm(`${name}.norm1`, width),
    ...dense(`${name}.qkv`, width, 3 * width, { initial: { glorot: [width, width] } }),
    ...dense(`${name}.out`, width, width),
    ...norm(`${name}.norm2`, width),
    ...dense(`${name}.feed1`, width, FEED_FORWARD * width),
    ...dense(`${name}.feed2`, FEED_FORWARD * width, width),
  ];
}

function norm(name: string, width: number): TensorPlan[] {
  return [
    { name: `${name}.gain`, shape: [width], initial: 'one' },
    { name: `${name}.bias`, shape: [width], initial: 'zero' },
  ];
}
