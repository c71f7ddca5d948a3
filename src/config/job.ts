import { z } from 'zod';

/**
 * A training job: what job.yaml holds. Unknown keys are errors. Defaults here are the defaults everywhere.
 */
export const jobConfigSchema = z.strictObject({
  /** Lower-case letters, digits and '-'. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/)
    .describe('job name: lower-case letters, digits and "-", at most 40'),
  /** Path of the flow's module, relative to the job file. */
  flow: z.string().min(1),
  /** Folder or file of task data, relative to the job file; the flow's own source when absent. */
  data: z.string().optional(),
  /** Options for the flow's own source. */
  source: z.record(z.string(), z.json()).default({}),
  seed: z.int().min(0).max(0xffffffff).default(1),
  split: z
    .strictObject({
      /** Share of split keys held out. */
      heldOut: z.number().min(0.01).max(0.9).default(0.2),
    })
    .prefault({}),
  policy: z
    .strictObject({
      buckets: z.int().min(16).max(1_000_000).default(1024),
      embed: z.int().min(1).max(1024).default(24),
      encoder: z.enum(['bag', 'gru', 'transformer']).default('bag'),
      width: z.int().min(1).max(2048).default(64),
      layers: z.int().min(1).max(24).default(1),
      maxLength: z.int().min(1).max(4096).default(64),
      hidden: z.int().min(1).max(4096).default(64),
    })
    .prefault({}),
  rollout: z
    .strictObject({
      /** Trajectories per group (G). */
      groupSize: z.int().min(2).max(1024).default(16),
      /** Groups per update (B). */
      groupsPerRound: z.int().min(1).max(4096).default(8),
      temperature: z.number().min(0.01).max(10).default(1),
      /** η: how many versions behind a group may be. 0 = fully synchronous. */
      maxStaleness: z.int().min(0).max(64).default(1),
      /** A member that failed for infrastructure reasons is sampled again at most this often. */
      maxResamples: z.int().min(0).max(100).default(3),
    })
    .prefault({}),
  algorithm: z
    .strictObject({
      name: z.enum(['grpo']).default('grpo'),
      /** Divide the centred reward by the group's standard deviation. */
      std: z.enum(['sample', 'population', 'none']).default('sample'),
      epsilon: z.number().min(0).max(1).default(1e-4),
      /** Clip range of the probability ratio: [1 - low, 1 + high]. */
      clipLow: z.number().min(0).max(1).default(0.2),
      clipHigh: z.number().min(0).max(10).default(0.2),
      /** trajectory: each trajectory weighs the same; decision: each decision does. */
      aggregation: z.enum(['trajectory', 'decision']).default('trajectory'),
      entropy: z.number().min(0).max(10).default(0.02),
    })
    .prefault({}),
  optimizer: z
    .strictObject({
      learningRate: z.number().min(0).max(10).default(3e-3),
      beta1: z.number().min(0).max(0.9999).default(0.9),
      beta2: z.number().min(0).max(0.99999).default(0.999),
      epsilon: z.number().min(0).max(1).default(1e-8),
      weightDecay: z.number().min(0).max(1).default(0),
      /** Global-norm clipping; 0 = off. */
      maxGradientNorm: z.number().min(0).max(1e6).default(1),
      /** Learning rate at the last round, as a share of learningRate; linear in between. */
      finalLearningRate: z.number().min(0).max(1).default(1),
    })
    .prefault({}),
  rounds: z.int().min(1).max(10_000_000).default(300),
  evaluation: z
    .strictObject({
      /** Rounds between two evaluations on the held-out tasks; one more at the end. 0 = only at the end. */
      every: z.int().min(0).max(1_000_000).default(25),
      /** Measure do-nothing, random, untrained and rule planners before training. */
      baselines: z.boolean().default(true),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      /** Best checkpoints kept, by held-out success. */
      keep: z.int().min(1).max(100).default(5),
    })
    .prefault({}),
});

/** A job configuration with all defaults filled in. */
export type JobConfig = z.infer<typeof jobConfigSchema>;
/** What people write. */
export type JobConfigInput = z.input<typeof jobConfigSchema>;
