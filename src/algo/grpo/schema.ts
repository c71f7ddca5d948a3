import { z } from 'zod';
import { aggregation, clip, correctionSchema, creditSchema, deviation, everyMethod, klSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';

/** Options of GRPO: the method when a job names none. */
export const grpoSchema = z
  .strictObject({
    name: z.literal('grpo').default('grpo').describe('training algorithm'),
    ...deviation,
    ...clip,
    ...aggregation,
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
    credit: creditSchema,
  })
  .superRefine(invariants);

/** GRPO with all defaults filled in. */
export type GrpoConfig = z.infer<typeof grpoSchema>;
