import { z } from 'zod';
import { aggregation, everyMethod, klSchema, valueSchema } from '../schema/fields.ts';
import { refusals } from '../schema/refusals.ts';

const noClip = 'its loss is that of the policy gradient: the weights are capped instead, by rhoBar';

/** Options of V-trace. */
export const vtraceSchema = z
  .strictObject({
    name: z.literal('vtrace').describe('training algorithm'),
    rhoBar: z
      .number()
      .min(0.01)
      .max(1000)
      .default(1)
      .describe('cap of the weights of temporal differences and of the policy gradient'),
    cBar: z.number().min(0).max(1000).default(1).describe('cap of the trace coefficients'),
    ...aggregation,
    ...everyMethod,
    epochs: z
      .literal(1)
      .default(1)
      .describe('1: its weights are those of the start of the round, and nothing holds the policy near it'),
    kl: klSchema,
    value: valueSchema(1).prefault({}),
    whiten: z.boolean().default(false).describe("advantages of a round's decisions are brought to mean 0 and deviation 1"),
  })
  .register(refusals, {
    reasons: {
      epochs: 'its weights are those of the start of the round, and nothing holds the policy near it',
      clipLow: noClip,
      clipHigh: noClip,
      dualClip: noClip,
      std: 'its baseline is the value head, not the group',
      epsilon: 'its baseline is the value head, not the group',
      credit: 'its targets assign the credit: value.gamma and value.lambda',
      correction: 'its weights are the correction: rhoBar and cBar',
    },
  });

/** V-trace with all defaults filled in. */
export type VtraceConfig = z.infer<typeof vtraceSchema>;
