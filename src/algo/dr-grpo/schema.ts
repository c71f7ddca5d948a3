import { z } from 'zod';
import { aggregation, clip, correctionSchema, creditSchema, everyMethod, klSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of Dr.GRPO. */
export const drGrpoSchema = z
  .strictObject({
    name: z.literal('dr-grpo').describe('training algorithm'),
    ...clip,
    aggregation: z
      .literal('constant')
      .default('constant')
      .describe('the sum over decisions by constantLength, a mean over trajectories'),
    constantLength: aggregation.constantLength,
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
    credit: creditSchema,
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      aggregation: "dividing by a trajectory's own length is the bias that this method is without",
      std: 'dividing by it makes easy and hard tasks weigh more than others, which is what this method is without',
      epsilon: 'nothing is divided by a standard deviation',
    },
  });

/** Dr.GRPO with all defaults filled in. */
export type DrGrpoConfig = z.infer<typeof drGrpoSchema>;
