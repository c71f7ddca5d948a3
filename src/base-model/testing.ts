/** Small random models with tokens of one's own, for tests. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '../random/seeded.ts';
import { encodeSafetensors } from '../tensor-files/safetensors.ts';
import { layoutOf, type ModelConfig } from './config.ts';

/** What {@link writeTinyModel} makes. */
export interface TinyModel {
  /** Texts that are one token each. What is made of other characters becomes no token at all. */
  words: readonly string[];
  /** Default 1. */
  layers?: number;
  /** A multiple of 4: there are two heads. Default 16. */
  width?: number;
  /** Default 7. */
  seed?: number;
}

/** Ends a message, and begins one. */
const MARKS = ['<|end|>', '<|system|>', '<|user|>', '<|assistant|>', '<|tool|>'];
const TEMPLATE =
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** Writes a random Llama into a folder, as Hugging Face has it, and returns the folder. */
export async function writeTinyModel(folder: string, { words, layers = 1, width = 16, seed = 7 }: TinyModel): Promise<string> {
  const config: ModelConfig = {
    ...{ family: 'llama', layers, width, heads: 2, kvHeads: 1, headSize: width / 2, feedForward: 2 * width },
    ...{ vocabulary: MARKS.length + words.length, contextLength: 256, normEpsilon: 1e-5, ropeBase: 1e4 },
    ...{ attentionBias: 'none', headNorms: false, tied: true },
  };
  await mkdir(folder, { recursive: true });
  const json = (name: string, value: unknown): Promise<void> => writeFile(join(folder, name), JSON.stringify(value));
  await json('config.json', {
    ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_act: 'silu', tie_word_embeddings: true },
    ...{ hidden_size: width, intermediate_size: config.feedForward, num_hidden_layers: layers, head_dim: config.headSize },
    ...{ num_attention_heads: 2, num_key_value_heads: 1, max_position_embeddings: 256, rms_norm_eps: 1e-5 },
    ...{ vocab_size: config.vocabulary, eos_token_id: 0, rope_parameters: { rope_type: 'default', rope_theta: 1e4 } },
  });
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  await json('tokenizer.json', {
    version: '1.0',
    ...{ normalizer: null, pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true }, post_processor: null },
    decoder: { type: 'ByteLevel' },
    added_tokens: [...MARKS, ...words].map((content, id) => ({ id, content, ...flags, special: id < MARKS.length })),
    model: { type: 'BPE', vocab: Object.fromEntries([...MARKS, ...words].map((word, id) => [word, id])), merges: [] },
  });
  await json('tokenizer_config.json', { eos_token: MARKS[0] });
  await writeFile(join(folder, 'chat_template.jinja'), TEMPLATE);
  const random = seededRandom(seed);
  const tensors = layoutOf(config).map(({ name, shape }) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const draw = (): number => (name.includes('norm') ? 1 : random.normal() / Math.sqrt(width));
    return { name, shape, values: Float32Array.from({ length: size }, draw) };
  });
  await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(tensors));
  return folder;
}
