import { z } from 'zod';
import { clip, correctionOf, deviation, everyMethod, klSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of GSPO. */
export const gspoSchema = z
  .strictObject({
    name: z.literal('gspo').describe('training algorithm'),
    ...deviation,
    clipLow: clip.clipLow.removeDefault().default(3e-4).describe("the sequence's ratio is clipped below at 1 - clipLow"),
    clipHigh: clip.clipHigh.removeDefault().default(4e-4).describe("the sequence's ratio is clipped above at 1 + clipHigh"),
    aggregation: z.literal('trajectory').default('trajectory').describe('every trajectory weighs the same'),
    ...everyMethod,
    kl: klSchema,
    correction: correctionOf('trajectory'),
  })
  .superRefine(invariants)
  .superRefine(({ correction }, context) => {
    if (correction.kind === 'none' || correction.level === 'trajectory') return;
    context.addIssue({
      code: 'custom',
      path: ['correction', 'level'],
      input: correction.level,
      message: 'trajectory, since gspo has one ratio for a whole trajectory',
    });
  })
  .register(refusals, {
    reasons: {
      aggregation: 'its loss is a mean over trajectories, each with one ratio',
      dualClip: 'its ratios stay near 1, since they are means over the trajectory',
      credit: 'a trajectory has one ratio and one advantage',
      constantLength: 'each trajectory weighs the same',
    },
  });

/** GSPO with all defaults filled in. */
export type GspoConfig = z.infer<typeof gspoSchema>;
