/** Configuration in the metadata of a GGUF file. Source: docs/gguf.md of ggml, and convert_hf_to_gguf.py of llama.cpp. */
import type { TensorFile } from '../../tensor-files/tensor-file.ts';
import { checkConfig, FAMILIES, type ModelConfig } from '../config.ts';
import type { Fields } from '../fields.ts';

const DEFAULT_ROPE_BASE = 10_000;

/**
 * The model of a GGUF file. `invalid_argument` for what is not supported, `data_loss` for what makes no sense.
 *
 * @param ropeFactors - numbers of its tensor `rope_freqs.weight`, if there is one
 */
export function configOf(fields: Fields, file: TensorFile, ropeFactors: readonly number[] | undefined): ModelConfig {
  const architecture = fields.get('general.architecture');
  const family = FAMILIES.find((each) => each === architecture);
  if (family === undefined) {
    throw fields.unsupported(`general.architecture ${JSON.stringify(architecture)}; supported: ${FAMILIES.join(', ')}`);
  }
  const key = (name: string): string => `${family}.${name}`;
  fields.supports(key('rope.scaling.type'), ['none']);
  fields.supports(key('expert_count'), [0]);
  const heads = fields.number(key('attention.head_count'));
  const width = fields.number(key('embedding_length'));
  const headSize = fields.number(key('attention.key_length'), width / heads);
  fields.supports(key('attention.value_length'), [headSize]);
  fields.supports(key('rope.dimension_count'), [headSize]);
  const { entries } = file;
  const biased = entries.has('blk.0.attn_q.bias');
  return checkConfig(
    {
      family,
      layers: fields.number(key('block_count')),
      width,
      heads,
      kvHeads: fields.number(key('attention.head_count_kv'), heads),
      headSize,
      feedForward: fields.number(key('feed_forward_length')),
      vocabulary: fields.strings('tokenizer.ggml.tokens').length,
      contextLength: fields.number(key('context_length')),
      normEpsilon: Math.fround(fields.number(key('attention.layer_norm_rms_epsilon'))),
      ropeBase: fields.number(key('rope.freq_base'), DEFAULT_ROPE_BASE),
      ropeFactors,
      attentionBias: !biased ? 'none' : entries.has('blk.0.attn_output.bias') ? 'qkvo' : 'qkv',
      headNorms: family === 'qwen3',
      tied: !entries.has('output.weight'),
    },
    file.name,
  );
}
