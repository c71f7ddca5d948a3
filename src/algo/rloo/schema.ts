import { z } from 'zod';
import { aggregation, clip, correctionSchema, creditSchema, everyMethod, klSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of RLOO. */
export const rlooSchema = z
  .strictObject({
    name: z.literal('rloo').describe('training algorithm'),
    ...clip,
    ...aggregation,
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
    credit: creditSchema,
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      std: 'its advantages are differences to the mean of the others, in the unit of the reward',
      epsilon: 'nothing is divided by a standard deviation',
    },
  });

/** RLOO with all defaults filled in. */
export type RlooConfig = z.infer<typeof rlooSchema>;
