/** Parameters of the text encoders; apart from the encoders so that a layout can be had without tfjs. */
import type { PolicySpec } from '../spec.ts';
import type { TensorPlan } from './layout.ts';

/** Name of the token embeddings. */
export const EMBEDDING = 'text.embedding';

/** Deviation of a token embedding; a bag of n tokens starts out with a deviation smaller by the root of n. */
const EMBEDDING_DEVIATION = 0.5;

/** Parameters of the specification's encoder. */
export function encoderTensors(spec: PolicySpec): TensorPlan[] {
  const { buckets, embed } = spec.text;
  return [{ name: EMBEDDING, shape: [buckets, embed], initial: { normal: EMBEDDING_DEVIATION } }];
}
