import type { JobConfig } from '../../src/config/job.ts';

/** The configuration of a job that measures the policy of another one on its held-out tasks, once, and trains nothing. */
export function evaluationConfig(config: JobConfig): JobConfig {
  return {
    ...config,
    name: `${config.name.slice(0, 23)}-eval`,
    rounds: 0,
    evaluation: { every: 0, patience: 0, baselines: false, test: false, samples: 0 },
    checkpoint: { ...config.checkpoint, every: 0 },
    // It draws on the budget of its owner; limits of the other job are for its training.
    budget: {},
  };
}
