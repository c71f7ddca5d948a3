import { z } from 'zod';
import { algorithmSchema } from '../algo/registry.ts';
import { jobBudgetSchema } from './budgets.ts';
import { checkAlgorithm } from './job/algorithm.ts';
import { checkExploration, curriculumSchema, explorationSchema } from './job/exploration.ts';
import { rewardSchema } from './job/reward.ts';
import { policySchema } from '../policy/registry.ts';

const share = (description: string) => z.number().min(0).max(1).describe(description);

const jobShape = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,39}$/)
    .describe('job name: lower-case letters, digits and "-", at most 40'),
  flow: z.string().min(1).describe("path of the flow's module, relative to the job file"),
  data: z
    .string()
    .min(1)
    .optional()
    .describe("folder or file of task data, relative to the job file; the flow's own source when absent"),
  files: z
    .array(z.string().min(1))
    .max(1000)
    .optional()
    .describe('files and folders that the code of the flow reads, relative to the job file; they are bundled with it'),
  source: z.record(z.string(), z.json()).default({}).describe("options for the flow's own source"),
  seed: z.int().min(0).max(0xffffffff).default(1).describe('seed of every random choice'),
  split: z
    .strictObject({
      heldOut: z.number().min(0.01).max(0.9).default(0.2).describe('share of split keys held out'),
      test: z
        .number()
        .min(0)
        .max(0.9)
        .default(0.5)
        .describe(
          'share of those whose tasks are the test set, measured once, for the report; the others are validation; 0 = no test set',
        ),
    })
    .prefault({}),
  policy: policySchema.prefault({}),
  rollout: z
    .strictObject({
      groupSize: z
        .int()
        .min(1)
        .max(1024)
        .default(8)
        .describe('G: trajectories of one group; 1 only where a rule is imitated (algorithm.name: sft)'),
      groupsPerRound: z.int().min(1).max(4096).default(16).describe('B: groups of one update'),
      temperature: z.number().min(0.01).max(10).default(1).describe('sampling temperature of the rollouts'),
      maxStaleness: z
        .int()
        .min(0)
        .max(64)
        .default(1)
        .describe('η: most versions that a group may be behind; 0 = fully synchronous'),
      maxResamples: z
        .int()
        .min(0)
        .max(100)
        .default(3)
        .describe('how many times a member that failed for infrastructure reasons is sampled again'),
      stateBytes: z
        .int()
        .min(0)
        .max(65_536)
        .default(2048)
        .describe("bytes of the flow's state that are stored before and after a step; of a longer one the beginning; 0 = none"),
      storeBacklog: z
        .strictObject({
          high: z
            .int()
            .min(1)
            .max(1_000_000)
            .default(2000)
            .describe('no new requests while more groups than this wait for the store'),
          low: z
            .int()
            .min(0)
            .max(1_000_000)
            .default(500)
            .describe('requests resume when at most this many groups wait for the store'),
        })
        .prefault({}),
    })
    .prefault({}),
  algorithm: algorithmSchema.prefault({}),
  reward: rewardSchema,
  exploration: explorationSchema,
  curriculum: curriculumSchema,
  optimizer: z
    .strictObject({
      learningRate: z.number().min(0).max(10).default(3e-3).describe('AdamW learning rate'),
      beta1: z.number().min(0).max(0.9999).default(0.9).describe('decay of the first moment'),
      beta2: z.number().min(0).max(0.99999).default(0.999).describe('decay of the second moment'),
      epsilon: share("added to the second moment's root").default(1e-8),
      weightDecay: share('decoupled weight decay').default(0),
      maxGradientNorm: z.number().min(0).max(1e6).default(1).describe('global-norm clipping; 0 = off'),
      finalLearningRate: share('learning rate of the last round as a share of learningRate; linear in between').default(0.05),
      averaging: z
        .number()
        .min(0)
        .max(0.9999)
        .default(0.9)
        .describe(
          'decay per round of the moving average of the weights, which evaluations measure and checkpoints hold: about 1 / (1 - averaging) rounds count; 0 = the weights themselves',
        ),
    })
    .prefault({}),
  rounds: z.int().min(0).max(10_000_000).default(300).describe('updates until the job ends; 0 = only the evaluation at the end'),
  evaluation: z
    .strictObject({
      every: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(10)
        .describe('rounds between evaluations on the held-out tasks; there is always one at the end; 0 = only at the end'),
      patience: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(0)
        .describe(
          'evaluations in a row that solve no more validation tasks than one before, after which training stops; 0 = all rounds are run',
        ),
      target: share('share of the validation tasks solved at which training stops; all rounds are run when absent').optional(),
      baselines: z.boolean().default(true).describe('measure do-nothing, random, untrained and rule planners before training'),
      test: z.boolean().default(true).describe('measure the best version on the test tasks at the end, where there are any'),
      samples: z
        .int()
        .min(0)
        .max(64)
        .default(0)
        .describe(
          'flows a task that the best version runs at the end at its sampling temperature, for pass@k; on the test tasks where there are any; 0 = none',
        ),
    })
    .prefault({}),
  budget: jobBudgetSchema.prefault({}),
  checkpoint: z
    .strictObject({
      every: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(10)
        .describe(
          'rounds between checkpoints; evaluated versions, the last one and that of a pause have one too; 0 = only those',
        ),
      keep: z.int().min(1).max(100).default(5).describe('best checkpoints kept, by held-out success, beside the newest'),
    })
    .prefault({}),
});

/**
 * A training job: what job.yaml holds. Unknown keys are errors. Defaults here are the defaults everywhere. What each field
 * means is in its description, which is also what editors show.
 */
export const jobConfigSchema = jobShape.superRefine((config, context) => {
  const wrong = (path: string[], got: unknown, message: string): void => {
    context.addIssue({ code: 'custom', path, input: got, message });
  };
  checkAlgorithm(config, wrong);
  checkExploration(config, wrong);
  const { high, low } = config.rollout.storeBacklog;
  if (low >= high) wrong(['rollout', 'storeBacklog', 'low'], low, `less than storeBacklog.high, which is ${high}`);
});

/** A job configuration with all defaults filled in. */
export type JobConfig = z.infer<typeof jobConfigSchema>;
/** What people write. */
export type JobConfigInput = z.input<typeof jobConfigSchema>;
