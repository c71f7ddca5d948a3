import type { Experience } from './experience.ts';

/** A tensor and its place in the flat array. */
export interface TensorPlace {
  name: string;
  shape: readonly number[];
  offset: number;
  size: number;
}

/** Named float32 tensors laid one after the other in one array, in `tensors` order. */
export interface Parameters {
  tensors: readonly TensorPlace[];
  values: Float32Array;
}

/** Length of the flat array. */
export function parameterCount(layout: readonly TensorPlace[]): number {
  return layout.reduce((sum, { size }) => sum + size, 0);
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
