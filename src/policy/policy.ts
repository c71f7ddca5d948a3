import type { Experience } from './experience.ts';
import type { PolicySpec } from './spec.ts';

/** A decoded batch of observations with the texts they refer to. */
export interface ObservationBatch {
  /** Token ids of each distinct text. */
  texts: readonly Int32Array[];
  /** Encoded observations (src/policy/codec.ts); text indices point into `texts`. */
  observations: readonly Uint8Array[];
}

/** Named float32 tensors laid one after the other in one array, in `tensors` order. */
export interface Parameters {
  tensors: readonly { name: string; shape: readonly number[]; offset: number; size: number }[];
  values: Float32Array;
}

/** A policy that chooses among the open actions. */
export interface Policy {
  readonly spec: PolicySpec;
  /** Copies the weights out. */
  parameters(): Parameters;
  /** Replaces the weights; `invalid_argument` when the length differs. */
  load(values: Float32Array): void;
  /** log-probabilities over each observation's open actions at `temperature` (> 0), one array per observation. */
  logProbabilities(batch: ObservationBatch, temperature: number): Float32Array[];
  dispose(): void;
}

/** One group as the learner gets it. */
export interface LearnerGroup {
  experience: Experience;
  /** One per trajectory. */
  advantages: readonly number[];
  /** Trajectories that carry weight. */
  valid: readonly boolean[];
  /**
   * Advantages of single tokens, instead of `advantages`: one per trained token of the valid trajectories, trajectory after
   * trajectory, like the columns below; absent or empty where the method has no use for them.
   */
  decisionAdvantages?: readonly number[];
  /** Log-probabilities under the policy at the start of the round. */
  proximal?: readonly number[];
  /** Log-probabilities under the reference policy. */
  reference?: readonly number[];
  /** Targets of the value head. */
  valueTargets?: readonly number[];
  /** State values at the start of the round. */
  values?: readonly number[];
  /** Shaped rewards, one per trajectory. */
  rewards?: readonly number[];
}

/** Sums over a micro-batch, to be added to those of others and divided once. */
export interface GradientSum {
  /** Sum of weight x gradient; same layout as Parameters.values. */
  gradient: Float32Array;
  weight: number;
  decisions: number;
  statistics: Record<string, number>;
}
