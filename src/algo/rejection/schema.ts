import { z } from 'zod';
import { aggregation, everyMethod } from '../schema/fields.ts';
import { refusals } from '../schema/refusals.ts';

const { entropy, finalEntropy, epochs, miniBatches } = everyMethod;
const noRatio = 'its loss has no probability ratio: successes are learned as they are';
const noBaseline = 'it compares with nothing: a success counts 1, everything else nothing';

/** Options of rejection sampling. */
export const rejectionSchema = z
  .strictObject({
    name: z.literal('rejection').describe('training algorithm'),
    ...aggregation,
    ...{ entropy, finalEntropy, epochs, miniBatches },
  })
  .register(refusals, {
    reasons: {
      clipLow: noRatio,
      clipHigh: noRatio,
      dualClip: noRatio,
      correction: noRatio,
      unit: noRatio,
      std: noBaseline,
      epsilon: noBaseline,
      credit: noBaseline,
      positiveOnly: 'it learns from successes only, which is what this method is',
      kl: 'nothing holds it near a reference; grpo and others have a penalty',
    },
  });

/** Rejection sampling with all defaults filled in. */
export type RejectionConfig = z.infer<typeof rejectionSchema>;
