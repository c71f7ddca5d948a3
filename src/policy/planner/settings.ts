import { z } from 'zod';

/** Heads of the transformer encoder's attention: its width is a multiple of this. */
const ATTENTION_HEADS = 4;
/** The most floats an embedding table may have: past this a broadcast of the weights would take longer than a round. */
const MAX_EMBEDDING = 64 * 1024 * 1024;

/** Sizes of a planner: what `policy:` of a job holds. */
export const plannerSettings = z
  .strictObject({
    buckets: z.int().min(16).max(1_000_000).default(1024).describe('rows of the embedding table; token ids are hashed into them'),
    embed: z.int().min(1).max(1024).default(24).describe('width of a token embedding'),
    encoder: z
      .enum(['bag', 'gru', 'transformer'])
      .default('bag')
      .describe('text encoder: mean of embeddings (bag), bidirectional GRU, or pre-norm transformer'),
    width: z.int().min(1).max(2048).default(64).describe("width of the encoder's output; gru: both directions together"),
    layers: z.int().min(1).max(24).default(1).describe('transformer layers'),
    maxLength: z.int().min(1).max(4096).default(64).describe('most tokens of a text; the rest is cut'),
    hidden: z.int().min(1).max(4096).default(64).describe('width of the hidden layers'),
  })
  .superRefine(({ encoder, width, buckets, embed }, context) => {
    const wrong = (field: string, got: unknown, message: string): void => {
      context.addIssue({ code: 'custom', path: [field], input: got, message });
    };
    if (encoder === 'gru' && width % 2 !== 0) {
      wrong('width', width, "an even number, since each of the gru encoder's two directions gets half of it");
    }
    if (encoder === 'transformer' && width % ATTENTION_HEADS !== 0) {
      wrong('width', width, `a multiple of ${ATTENTION_HEADS}, since the transformer encoder has that many heads`);
    }
    if (buckets * embed > MAX_EMBEDDING) {
      wrong(
        'buckets',
        buckets,
        `at most ${Math.floor(MAX_EMBEDDING / embed)} with embed ${embed}, since the whole table is sent to every rollout worker after each round`,
      );
    }
  });

/** Settings with all defaults filled in. */
export type PlannerSettings = z.infer<typeof plannerSettings>;
