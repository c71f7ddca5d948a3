import { z } from 'zod';
import { everyMethod } from '../schema/fields.ts';
import { refusals } from '../schema/refusals.ts';

const { entropy, finalEntropy, epochs, miniBatches } = everyMethod;
const noRatio = 'its loss has no probability ratio';

/** Options of GVPO. */
export const gvpoSchema = z
  .strictObject({
    name: z.literal('gvpo').describe('training algorithm'),
    beta: z
      .number()
      .min(1e-6)
      .max(1000)
      .default(0.1)
      .describe(
        'weight of the divergence from the policy at the start of the round: how much log-probability one unit of reward is worth is its inverse',
      ),
    entropy,
    finalEntropy,
    epochs,
    miniBatches,
  })
  .register(refusals, {
    reasons: {
      std: 'its loss compares rewards with log-probabilities in their own units',
      epsilon: 'its loss does not divide by a deviation',
      clipLow: noRatio,
      clipHigh: noRatio,
      dualClip: noRatio,
      kl: 'its loss is the KL-constrained one already, with beta',
      correction: 'its optimum is the same whatever policy sampled the trajectories',
      credit: 'it sums over the whole trajectory',
      aggregation: 'every group weighs 1, and a trajectory counts with the sum over its decisions',
      constantLength: 'every group weighs 1',
      positiveOnly: 'its differences are those of complete groups',
      unit: 'it sums over the whole trajectory either way',
      value: 'it has no critic',
    },
  });

/** GVPO with all defaults filled in. */
export type GvpoConfig = z.infer<typeof gvpoSchema>;
