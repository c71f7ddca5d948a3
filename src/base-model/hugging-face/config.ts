/** `config.json` of transformers, of version 4 and of version 5 (which keeps what is about rotary positions in `rope_parameters`). */
import { checkConfig, FAMILIES, type Family, type ModelConfig } from '../config.ts';
import { Fields } from '../fields.ts';

/** Class that computes the next token, by family. */
const ARCHITECTURES: Readonly<Record<Family, string>> = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
};
/** Defaults of transformers' configuration classes, for what a file may leave out. */
const DEFAULTS = { epsilon: 1e-6, ropeBase: 10_000, context: 2048 };

/**
 * The model of a `config.json`. `invalid_argument` for what is not supported, `data_loss` for what makes no sense.
 *
 * @param path - what errors call the file
 */
export function configOf(json: Readonly<Record<string, unknown>>, path: string): ModelConfig {
  const fields = new Fields(json, path);
  const family = familyOf(fields);
  const heads = fields.number('num_attention_heads');
  const width = fields.number('hidden_size');
  const headSize = fields.number('head_dim', width / heads);
  refuseOthers(fields);
  const rope = ropeOf(fields, path);
  const config = checkConfig(
    {
      family,
      layers: fields.number('num_hidden_layers'),
      width,
      heads,
      kvHeads: fields.number('num_key_value_heads', heads),
      headSize,
      feedForward: fields.number('intermediate_size'),
      vocabulary: fields.number('vocab_size'),
      contextLength: fields.number('max_position_embeddings', DEFAULTS.context),
      normEpsilon: Math.fround(fields.number('rms_norm_eps', DEFAULTS.epsilon)),
      ropeBase: rope.base,
      attentionBias: family === 'qwen2' ? 'qkv' : fields.boolean('attention_bias', false) ? 'qkvo' : 'none',
      headNorms: family === 'qwen3',
      tied: fields.boolean('tie_word_embeddings', false),
    },
    path,
  );
  // Only now is it known that the head size is no absurd number.
  return rope.scaling ? checkConfig({ ...config, ropeFactors: llama3Factors(rope.scaling, config) }, path) : config;
}

function familyOf(fields: Fields): Family {
  const type = fields.get('model_type');
  const family = FAMILIES.find((each) => each === type);
  if (family === undefined) throw fields.unsupported(`model_type ${JSON.stringify(type)}; supported: ${FAMILIES.join(', ')}`);
  const architectures = fields.get('architectures');
  if (architectures !== undefined && !(Array.isArray(architectures) && architectures.includes(ARCHITECTURES[family]))) {
    throw fields.unsupported(`architectures ${JSON.stringify(architectures)}; supported: ${ARCHITECTURES[family]}`);
  }
  return family;
}

/** Things of these families that are not computed. */
function refuseOthers(fields: Fields): void {
  fields.supports('hidden_act', ['silu']);
  fields.supports('mlp_bias', [false]);
  fields.supports('use_sliding_window', [false]);
  fields.supports('partial_rotary_factor', [1]);
  if (fields.get('quantization_config') !== undefined) {
    throw fields.unsupported('quantization_config; take the weights as F32, F16 or BF16, or as a GGUF file');
  }
  const layers = fields.get('layer_types');
  const other = Array.isArray(layers) ? (layers as unknown[]).find((type) => type !== 'full_attention') : undefined;
  if (other !== undefined) throw fields.unsupported(`layer_types with ${JSON.stringify(other)}; supported: "full_attention"`);
}

/** Base of the rotary frequencies, and what describes their scaling. */
function ropeOf(fields: Fields, path: string): { base: number; scaling?: Fields } {
  const key = fields.get('rope_parameters') === undefined ? 'rope_scaling' : 'rope_parameters';
  const stored = fields.get(key) ?? {};
  if (typeof stored !== 'object' || Array.isArray(stored)) throw fields.wrong(key, 'an object');
  const rope = new Fields(stored as Record<string, unknown>, `${path}: ${key}`);
  const base = rope.number('rope_theta', fields.number('rope_theta', DEFAULTS.ropeBase));
  rope.supports('partial_rotary_factor', [1]);
  // Older files call it type.
  const type = rope.get('rope_type') ?? rope.get('type') ?? 'default';
  if (type === 'default') return { base };
  if (type === 'llama3') return { base, scaling: rope };
  throw rope.unsupported(`rope_type ${JSON.stringify(type)}; supported: "default", "llama3"`);
}

/**
 * Long waves are stretched by a factor, short ones stay, those between are interpolated.
 * Source: `_compute_llama3_parameters` of transformers (modeling_rope_utils.py).
 */
function llama3Factors(rope: Fields, { ropeBase, headSize }: ModelConfig): number[] {
  const factor = rope.number('factor');
  const low = rope.number('low_freq_factor');
  const high = rope.number('high_freq_factor');
  const trained = rope.number('original_max_position_embeddings');
  return Array.from({ length: headSize / 2 }, (_, i) => {
    const waveLength = 2 * Math.PI * ropeBase ** ((2 * i) / headSize);
    if (waveLength < trained / high) return 1;
    if (waveLength > trained / low) return Math.fround(factor);
    const smooth = (trained / waveLength - low) / (high - low);
    return Math.fround(1 / ((1 - smooth) / factor + smooth));
  });
}
