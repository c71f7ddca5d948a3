import { z } from 'zod';
import { clip, correctionSchema, creditSchema, deviation, everyMethod } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of DAPO. */
export const dapoSchema = z
  .strictObject({
    name: z.literal('dapo').describe('training algorithm'),
    ...deviation,
    ...clip,
    clipHigh: clip.clipHigh.removeDefault().default(0.28).describe('the probability ratio is clipped above at 1 + clipHigh'),
    aggregation: z
      .enum(['token', 'decision'])
      .default('token')
      .describe('token: every token of the round weighs the same; decision: every decision does'),
    ...everyMethod,
    correction: correctionSchema,
    credit: creditSchema,
    refill: z
      .strictObject({
        draws: z
          .int()
          .min(1)
          .max(1000)
          .default(10)
          .describe(
            "how often a round's groups are drawn until enough of them have rewards that differ; then the job says that its tasks are too easy or too hard",
          ),
      })
      .prefault({}),
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      kl: 'it lets the policy move away from where it began; use grpo with clipHigh 0.28 and aggregation token for a penalty',
      aggregation: 'its loss is the mean over all tokens of the round, so that long trajectories count as they are',
      constantLength: 'it sums over tokens',
    },
  });

/** DAPO with all defaults filled in. */
export type DapoConfig = z.infer<typeof dapoSchema>;
