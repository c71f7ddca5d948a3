import { z } from 'zod';
import { clip, correctionSchema, deviation, everyMethod, klSchema } from '../schema/fields.ts';
import { invariants } from '../schema/invariants.ts';
import { refusals } from '../schema/refusals.ts';

/** Options of Flow-GRPO. */
export const flowGrpoSchema = z
  .strictObject({
    name: z.literal('flow-grpo').describe('training algorithm'),
    ...deviation,
    ...clip,
    clipHigh: clip.clipHigh.removeDefault().default(0.3).describe('the probability ratio is clipped above at 1 + clipHigh'),
    aggregation: z.literal('trajectory').default('trajectory').describe('every trajectory weighs the same'),
    ...everyMethod,
    kl: klSchema,
    correction: correctionSchema,
  })
  .superRefine(invariants)
  .register(refusals, {
    reasons: {
      aggregation: 'each trajectory weighs the same, which is what this method is',
      credit: "every decision gets its trajectory's reward, which is what this method is",
      constantLength: 'each trajectory weighs the same',
    },
  });

/** Flow-GRPO with all defaults filled in. */
export type FlowGrpoConfig = z.infer<typeof flowGrpoSchema>;
