import type { Parameters } from '../policy.ts';
import type { PlannerSpec } from './spec.ts';

/** A decoded batch of observations with the texts they refer to. */
export interface ObservationBatch {
  /** Token ids of each distinct text. */
  texts: readonly Int32Array[];
  /** Encoded observations (codec.ts); text indices point into `texts`. */
  observations: readonly Uint8Array[];
}

/** A policy that chooses among the open actions of observations. */
export interface ObservationPolicy {
  readonly spec: PlannerSpec;
  /** Copies the weights out. */
  parameters(): Parameters;
  /** Replaces the weights; `invalid_argument` when the length differs. */
  load(values: Float32Array): void;
  /** log-probabilities over each observation's open actions at `temperature` (> 0), one array per observation. */
  logProbabilities(batch: ObservationBatch, temperature: number): Float32Array[];
  dispose(): void;
}
