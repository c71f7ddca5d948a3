import { z } from 'zod';
import { aggregation, everyMethod } from '../schema/fields.ts';
import { imitationRefusals } from '../schema/imitation.ts';
import { refusals } from '../schema/refusals.ts';

const { entropy, finalEntropy, epochs, miniBatches } = everyMethod;

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
    reasons: imitationRefusals("the rule's decisions", 'every demonstration counts the same'),
  });

/** Supervised fine-tuning with all defaults filled in. */
export type SftConfig = z.infer<typeof sftSchema>;
