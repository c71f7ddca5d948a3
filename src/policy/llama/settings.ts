import { z } from 'zod';
import { PROJECTIONS } from '../../base-model/adapter/shape.ts';

/** What `policy:` of a job with a language model holds. */
export const llamaSettings = z.strictObject({
  base: z
    .string()
    .min(1)
    .describe(
      'base model: a folder as Hugging Face has it, or a GGUF file, relative to the job file; ~/ is the home folder on each node (docs/models.md)',
    ),
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
  /** What the files say, once they have been read. */
  read?: ReadFiles;
};

/** What the specification has to know of files. */
export interface ReadFiles {
  /** Digest of the base model. */
  digest: string;
  config: import('../../base-model/config.ts').ModelConfig;
  /** The adapter to start from. */
  start?: { digest: string; shape: import('../../base-model/adapter/shape.ts').AdapterShape };
}
