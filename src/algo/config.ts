import type { DapoConfig } from './dapo/schema.ts';
import type { DecoupledPpoConfig } from './decoupled-ppo/schema.ts';
import type { DrGrpoConfig } from './dr-grpo/schema.ts';
import type { FlowGrpoConfig } from './flow-grpo/schema.ts';
import { grpoSchema, type GrpoConfig } from './grpo/schema.ts';
import type { GspoConfig } from './gspo/schema.ts';
import type { GvpoConfig } from './gvpo/schema.ts';
import type { PpoConfig } from './ppo/schema.ts';
import type { ReinforcePlusPlusConfig } from './reinforce-plus-plus/schema.ts';
import type { ReinforcePlusPlusBaselineConfig } from './reinforce-plus-plus-baseline/schema.ts';
import type { RejectionConfig } from './rejection/schema.ts';
import type { RlooConfig } from './rloo/schema.ts';
import type { SftConfig } from './sft/schema.ts';
import type { VtraceConfig } from './vtrace/schema.ts';

/** Options of the learning algorithm: what `algorithm:` of a job holds, one shape for each method. */
export type AlgorithmConfig =
  | DapoConfig
  | DecoupledPpoConfig
  | DrGrpoConfig
  | FlowGrpoConfig
  | GrpoConfig
  | GspoConfig
  | GvpoConfig
  | PpoConfig
  | ReinforcePlusPlusConfig
  | ReinforcePlusPlusBaselineConfig
  | RejectionConfig
  | RlooConfig
  | SftConfig
  | VtraceConfig;

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
  /** Decay of the moving average of the weights, per version; 0 = no average. */
  averaging: number;
}

/** sample: divides by n - 1; population: by n; none: the rewards are only centred. */
export type StdKind = 'sample' | 'population' | 'none';

/** Defaults of `algorithm:`, a block that names no method: GRPO. */
export const DEFAULT_ALGORITHM: Readonly<GrpoConfig> = grpoSchema.parse({});

/** Defaults of `optimizer:`. */
export const DEFAULT_OPTIMIZER: Readonly<OptimizerConfig> = {
  learningRate: 3e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradientNorm: 1,
  finalLearningRate: 0.05,
  averaging: 0.9,
};
