/** Options of the learning algorithm: what `algorithm:` of a job holds. Structural twin of the zod schema in src/config. */
export interface AlgorithmConfig {
  name: 'grpo';
  /** What a group's centred rewards are divided by. */
  std: StdKind;
  /** Added to the standard deviation; >= 0. */
  epsilon: number;
  /** The ratio is clipped to [1 - clipLow, 1 + clipHigh]. */
  clipLow: number;
  clipHigh: number;
  /** Lower bound of the loss for negative advantages, as a multiple of |A| (dual clip); off when absent. */
  dualClip?: number | undefined;
  /** trajectory: each trajectory weighs 1, each of its decisions 1/T. decision: each decision weighs 1. */
  aggregation: Aggregation;
  /** Weight of the entropy bonus; >= 0. */
  entropy: number;
}

/** Options of the optimiser: what `optimizer:` of a job holds. */
export interface OptimizerConfig {
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** Global-norm clipping; 0 = off. */
  maxGradientNorm: number;
  /** Learning rate at the last round, as a share of `learningRate`; linear in between. */
  finalLearningRate: number;
}

/** sample: divides by n - 1; population: by n; none: the rewards are only centred. */
export type StdKind = 'sample' | 'population' | 'none';

/** How decisions are weighed against each other. */
export type Aggregation = 'trajectory' | 'decision';

/** Defaults of `algorithm:`. */
export const DEFAULT_ALGORITHM: Readonly<AlgorithmConfig> = {
  name: 'grpo',
  std: 'sample',
  epsilon: 1e-4,
  clipLow: 0.2,
  clipHigh: 0.2,
  aggregation: 'trajectory',
  entropy: 0.02,
};

/** Defaults of `optimizer:`. */
export const DEFAULT_OPTIMIZER: Readonly<OptimizerConfig> = {
  learningRate: 3e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradientNorm: 1,
  finalLearningRate: 1,
};
