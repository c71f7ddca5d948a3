import { z } from 'zod';
import { aggregation, everyMethod } from '../schema/fields.ts';
import { refusals } from '../schema/refusals.ts';

const { entropy, finalEntropy, epochs, miniBatches } = everyMethod;
const noRatio = "its loss has no probability ratio: the rule's decisions are learned as they are";
const noBaseline = 'it compares with nothing: every demonstration counts the same';

/** Options of supervised fine-tuning. */
export const sftSchema = z
  .strictObject({
    name: z.literal('sft').describe('training algorithm'),
    successes: z.boolean().default(true).describe('demonstrations that do not solve their task are left out'),
    ...aggregation,
    aggregation: aggregation.aggregation.removeDefault().default('token').describe(aggregation.aggregation.description!),
    entropy: entropy.removeDefault().default(0).describe(entropy.description!),
    ...{ finalEntropy, epochs, miniBatches },
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
      positiveOnly: noBaseline,
      kl: 'nothing holds it near a reference; grpo and others have a penalty',
    },
  });

/** Supervised fine-tuning with all defaults filled in. */
export type SftConfig = z.infer<typeof sftSchema>;
