import { z } from 'zod';
import { aggregation, clip, correctionSchema, everyMethod, klSchema, valueSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of PPO. */
export const ppoSchema = z
  .strictObject({
    name: z.literal('ppo').describe('training algorithm'),
    ...clip,
    ...aggregation,
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
    value: valueSchema(0.95).prefault({}),
    whiten: z.boolean().default(true).describe("advantages of a round's decisions are brought to mean 0 and deviation 1"),
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      std: 'its baseline is the value head, not the group',
      epsilon: 'its baseline is the value head, not the group',
      credit: 'generalised advantage estimation assigns the credit: value.gamma and value.lambda',
    },
  });

/** PPO with all defaults filled in. */
export type PpoConfig = z.infer<typeof ppoSchema>;
