import { z } from 'zod';
import { aggregation, clip, correctionSchema, everyMethod, klSchema, plainCreditSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of REINFORCE++ with the group's mean as baseline. */
export const reinforcePlusPlusBaselineSchema = z
  .strictObject({
    name: z.literal('reinforce-plus-plus-baseline').describe('training algorithm'),
    ...clip,
    ...aggregation,
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
    credit: plainCreditSchema,
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      std: 'advantages are divided by the deviation over the whole round',
      epsilon: 'the deviation is that of the whole round',
    },
  });

/** REINFORCE++ with the group's mean as baseline with all defaults filled in. */
export type ReinforcePlusPlusBaselineConfig = z.infer<typeof reinforcePlusPlusBaselineSchema>;
