import { z } from 'zod';
import { aggregation, clip, creditSchema, deviation, everyMethod, klSchema, valueSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of decoupled PPO. */
export const decoupledPpoSchema = z
  .strictObject({
    name: z.literal('decoupled-ppo').describe('training algorithm'),
    cap: z
      .number()
      .min(0.01)
      .max(1000)
      .default(2)
      .describe('largest weight pi_proximal / pi_behaviour of a decision; 2 to 5 are usual'),
    ...deviation,
    ...clip,
    ...aggregation,
    ...everyMethod,
    kl: klSchema,
    credit: creditSchema,
    value: valueSchema(0.95)
      .optional()
      .describe('with this section a value head is the baseline, as in ppo; without, the group is, as in grpo'),
    whiten: z
      .boolean()
      .default(true)
      .describe("with a value head: advantages of a round's decisions are brought to mean 0 and deviation 1"),
  })
  .superRefine(invariants)
  .superRefine(({ value, credit }, context) => {
    if (value === undefined || credit.kind === 'broadcast') return;
    context.addIssue({
      code: 'custom',
      path: ['credit', 'kind'],
      input: credit.kind,
      message: 'broadcast with a value head, since generalised advantage estimation assigns the credit',
    });
  })
  .register(refusals, { reasons: { correction: 'the correction is its weight: cap' } });

/** Decoupled PPO with all defaults filled in. */
export type DecoupledPpoConfig = z.infer<typeof decoupledPpoSchema>;
