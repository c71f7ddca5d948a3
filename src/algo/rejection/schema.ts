import { z } from 'zod';
import { aggregation, everyMethod } from '../schema/fields.ts';
import { imitationRefusals } from '../schema/imitation.ts';
import { refusals } from '../schema/refusals.ts';

const { entropy, finalEntropy, epochs, miniBatches } = everyMethod;

/** Options of rejection sampling. */
export const rejectionSchema = z
  .strictObject({
    name: z.literal('rejection').describe('training algorithm'),
    ...aggregation,
    ...{ entropy, finalEntropy, epochs, miniBatches },
  })
  .register(refusals, {
    reasons: {
      ...imitationRefusals('successes', 'a success counts 1, everything else nothing'),
      positiveOnly: 'it learns from successes only, which is what this method is',
    },
  });

/** Rejection sampling with all defaults filled in. */
export type RejectionConfig = z.infer<typeof rejectionSchema>;
