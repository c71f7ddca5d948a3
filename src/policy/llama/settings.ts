import { z } from 'zod';
import { NEW_MODEL_PATH, type NewModel } from '../../base-model/new-model/description.ts';
import { MillraceError } from '../../errors.ts';
import { PROJECTIONS } from '../../base-model/adapter/shape.ts';

const newModel = z.strictObject({
  layers: z.int().min(1).max(64).default(2).describe('transformer layers'),
  width: z.int().min(8).max(2048).default(128).describe('numbers of a hidden state; multiples of 32 are fast'),
  heads: z.int().min(1).max(64).default(4).describe('attention heads; width must be an even multiple of them'),
  feedForward: z.int().min(8).max(8192).default(384).describe('inner width of the feed-forward layers'),
  contextLength: z.int().min(16).max(8192).default(512).describe('tokens of a conversation at most'),
  vocabulary: z
    .int()
    .min(288)
    .max(32_768)
    .default(512)
    .describe('tokens at most: bytes, and pairs of tokens that come more than once in `text`'),
  text: z
    .string()
    .min(1)
    .max(200_000)
    .describe('what the tokenizer is learned from: like what the model will read and write, calls of tools included'),
  seed: z.int().min(0).max(0xffffffff).default(1).describe('seed of the first weights'),
});

/** What `policy:` of a job with a language model holds. */
export const llamaSettings = z.strictObject({
  base: z
    .string()
    .min(1)
    .optional()
    .describe(
      'base model: a folder as Hugging Face has it, or a GGUF file, relative to the job file; ~/ is the home folder on each node (docs/models.md)',
    ),
  new: newModel
    .optional()
    .describe('in place of a base: a small model that begins with random weights and a tokenizer of its own; needs `train: all`'),
  train: z
    .enum(['adapter', 'all'])
    .default('adapter')
    .describe('what is trained: a LoRA adapter beside frozen weights, or all weights, for small models'),
  adapter: z
    .strictObject({
      rank: z.int().min(1).max(1024).default(8).describe('rank of the adapter; not used when it starts from `start`'),
      alpha: z.number().min(0.001).max(65_536).default(16).describe('what the adapter adds is scaled by alpha / rank'),
      targets: z
        .array(z.enum(PROJECTIONS))
        .min(1)
        .default(['q', 'k', 'v', 'o'])
        .describe('products that the adapter changes, the same in every layer'),
      start: z
        .string()
        .min(1)
        .optional()
        .describe(
          'adapter to start from, a folder that PEFT wrote: rank, alpha and targets are its own; default: one that changes nothing',
        ),
    })
    .prefault({}),
  maxTokens: z.int().min(1).max(131_072).default(128).describe('most tokens of one answer'),
  deterministic: z
    .boolean()
    .default(false)
    .describe('answers are the same to the bit, whatever else is computed at the same time; slower, token by token'),
  microBatchTokens: z
    .int()
    .min(1)
    .max(131_072)
    .default(512)
    .describe('tokens that a learner computes together, prompts included; what the members of a group share counts once'),
});

/** Settings with all defaults filled in. */
export type LlamaSettings = z.infer<typeof llamaSettings> & {
  /** What the files say, once they have been read; of a new model what it is. */
  read?: ReadFiles;
};

/** A base model: where it is, or what a new one is made of. */
export type BaseSource = { path: string; made?: undefined } | { path: string; made: NewModel };

/** The base model that settings name. `invalid_argument` when they name none or two, or a new one that nothing can be made of. */
export function baseSource({ base, new: made, train }: LlamaSettings): BaseSource {
  const wrong = (field: string, problem: string): MillraceError =>
    new MillraceError('invalid_argument', `policy.${field}: ${problem}`, { field: `policy.${field}` });
  if (made === undefined) {
    if (base !== undefined) return { path: base };
    throw wrong('base', 'name a base model, or describe a small new one with policy.new (docs/models.md)');
  }
  if (base !== undefined)
    throw wrong('new', 'a policy has a base model or a new one; leave one of policy.base and policy.new out');
  if (train !== 'all') throw wrong('train', 'random weights that stay frozen teach nothing: set it to all with policy.new');
  const { width, heads } = made;
  if (width % (2 * heads) !== 0)
    throw wrong('new.heads', `got ${heads}, and width ${width} is no even multiple of it: each head needs an even part`);
  return { path: NEW_MODEL_PATH, made };
}

/** What the specification has to know of files. */
export interface ReadFiles {
  /** Digest of the base model. */
  digest: string;
  config: import('../../base-model/config.ts').ModelConfig;
  /** The adapter to start from. */
  start?: { digest: string; shape: import('../../base-model/adapter/shape.ts').AdapterShape };
}
