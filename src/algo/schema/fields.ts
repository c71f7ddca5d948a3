/** Options that several methods share. Defaults here are the defaults everywhere; a method that needs another one says so. */
import { z } from 'zod';

const share = (description: string) => z.number().min(0).max(1).describe(description);

/** Options that every method has. */
export const everyMethod = {
  entropy: z.number().min(0).max(10).default(0.02).describe('weight of the entropy bonus'),
  finalEntropy: share('weight of the entropy bonus in the last round as a share of `entropy`; linear in between').default(0.5),
  epochs: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe('number of passes over the groups of a round; updates per round = epochs x miniBatches'),
  miniBatches: z
    .int()
    .min(1)
    .max(1024)
    .default(1)
    .describe('number of parts of a round, each an update; groups are not split, so at most rollout.groupsPerRound'),
  positiveOnly: z.boolean().default(false).describe('train only on positive advantages'),
  unit: z
    .enum(['token', 'decision'])
    .default('token')
    .describe(
      'unit of probability ratio, clip and weight: each token, or each decision with the product of its tokens; no difference for a planner, whose decisions are one token long',
    ),
};

/** What a group's centred rewards are divided by. */
export const deviation = {
  std: z
    .enum(['sample', 'population', 'none'])
    .default('sample')
    .describe('standard deviation of the group, which divides the centred reward; none = no division'),
  epsilon: share('added to that standard deviation').default(1e-4),
};

/** Bounds of the probability ratio. */
export const clip = {
  clipLow: share('the probability ratio is clipped below at 1 - clipLow').default(0.2),
  clipHigh: z.number().min(0).max(10).default(0.2).describe('the probability ratio is clipped above at 1 + clipHigh'),
  dualClip: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe(
      'for negative advantages the loss is at most this times the absolute advantage; above 1, usually 3; off when absent',
    ),
};

/** How decisions are weighed against each other, where the method leaves it open. */
export const aggregation = {
  aggregation: z
    .enum(['trajectory', 'decision', 'token', 'constant'])
    .default('trajectory')
    .describe(
      'equal weight for each trajectory (and each of its tokens), each decision, or each token; constant: sum over tokens divided by constantLength, averaged over trajectories',
    ),
  constantLength: z
    .number()
    .min(1)
    .max(1_000_000)
    .default(32)
    .describe(
      'divisor of aggregation: constant: the maximum number of tokens (for a planner: decisions) of a trajectory; without effect otherwise',
    ),
};

/** Penalty for moving away from a reference policy. */
export const klSchema = z
  .strictObject({
    coefficient: z.number().min(0).max(100).default(0).describe('weight of the penalty; 0 = off'),
    estimator: z
      .enum(['k1', 'k2', 'k3'])
      .default('k3')
      .describe(
        'k1: taken from the reward, gradient of KL(policy || reference) where advantages are not divided by a deviation; k2: in the loss, the same gradient; k3: in the loss, gradient of KL(reference || policy)',
      ),
    reference: z
      .union([z.literal('initial'), z.int().min(1).max(10_000_000)])
      .default('initial')
      .describe('initial: the initial policy of the job; a number: replaced by the current policy every so many rounds'),
  })
  .prefault({});

/** Importance correction of what happened between acting and the start of the round; `level` is the default one. */
export const correctionOf = (level: 'decision' | 'trajectory') =>
  z
    .strictObject({
      kind: z
        .enum(['none', 'truncate', 'mask'])
        .default('none')
        .describe(
          'truncate: weights pi_proximal / pi_behaviour, at most cap; mask: decisions outside of [low, high] get weight 0',
        ),
      level: z
        .enum(['decision', 'trajectory'])
        .default(level)
        .describe("decision: each decision's own ratio; trajectory: the product over the trajectory"),
      cap: z.number().min(0).max(1000).optional().describe('largest weight; 2 for decisions and 5 for trajectories when absent'),
      low: z.number().min(0).max(1).default(0.5).describe('mask: smallest ratio that keeps its weight of 1'),
      high: z.number().min(0).max(1000).default(2).describe('mask: largest ratio that keeps its weight of 1'),
    })
    .prefault({});

/** {@link correctionOf} of single decisions, what most methods begin with. */
export const correctionSchema = correctionOf('decision');

/** Discount of rewards and of credit. */
const gamma = (usual: number) => share('discount of one decision').default(usual);

/** How a trajectory's reward is shared out among its decisions, for methods with a baseline of the group. */
export const creditSchema = z
  .strictObject({
    kind: z
      .enum(['broadcast', 'discounted', 'return-to-go'])
      .default('broadcast')
      .describe(
        "broadcast: every decision gets the trajectory's advantage; discounted: times gamma for every later decision; return-to-go: the rewards from this step on against the mean return of the others",
      ),
    gamma: gamma(0.99),
  })
  .prefault({});

/** The same without return-to-go, for methods without a baseline of the group. */
export const plainCreditSchema = z
  .strictObject({
    kind: z
      .enum(['broadcast', 'discounted'])
      .default('broadcast')
      .describe("broadcast: every decision gets the trajectory's advantage; discounted: times gamma for every later decision"),
    gamma: gamma(0.99),
  })
  .prefault({});

/** The value head, of methods with a critic. */
export const valueSchema = (lambda: number) =>
  z.strictObject({
    coefficient: z.number().min(0).max(100).default(0.5).describe('weight of the value loss'),
    gamma: gamma(0.99),
    lambda: share('decay of the traces').default(lambda),
    clip: z
      .number()
      .min(0)
      .max(1000)
      .optional()
      .describe('largest change of a value from the start of the round that its loss still covers; off when absent'),
  });

/** KL penalty with all defaults filled in. */
export type KlConfig = z.infer<typeof klSchema>;
/** Importance correction with all defaults filled in. */
export type CorrectionConfig = z.infer<typeof correctionSchema>;
/** Credit assignment with all defaults filled in. */
export type CreditConfig = z.infer<typeof creditSchema>;
/** Value head with all defaults filled in. */
export type ValueConfig = z.infer<ReturnType<typeof valueSchema>>;
