import { MillraceError } from '../errors.ts';

/** Architectures that can be computed. */
export const FAMILIES = ['llama', 'qwen2', 'qwen3'] as const;
/** One of {@link FAMILIES}. */
export type Family = (typeof FAMILIES)[number];

/** Shape and constants of a decoder-only transformer; what its files call them is in `hugging-face/config.ts` and `gguf/config.ts`. */
export interface ModelConfig {
  family: Family;
  /** Transformer layers. */
  layers: number;
  /** Numbers of a token's hidden state. */
  width: number;
  /** Attention heads, of queries. */
  heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  kvHeads: number;
  /** Numbers of a head: even. */
  headSize: number;
  /** Inner width of the feed-forward layers. */
  feedForward: number;
  /** Tokens that there are. */
  vocabulary: number;
  /** Positions that the model was made for. */
  contextLength: number;
  /** Added to the mean square in RMSNorm; a float32. */
  normEpsilon: number;
  /** Base of the rotary position embedding, `theta`. */
  ropeBase: number;
  /** What the rotary frequencies are divided by, float32, `headSize / 2` of them; undefined: nothing. */
  ropeFactors?: readonly number[] | undefined;
  /** Which of the attention's products have a bias. */
  attentionBias: 'none' | 'qkv' | 'qkvo';
  /** Whether queries and keys are normalised head by head. */
  headNorms: boolean;
  /** Whether the head is the embedding. */
  tied: boolean;
}

const LARGEST = 1 << 24;
const MOST_LAYERS = 1024;

/** Throws `data_loss`, naming `path`, when the numbers do not go together. */
export function checkConfig(config: ModelConfig, path: string): ModelConfig {
  const { heads, kvHeads, headSize, ropeFactors } = config;
  const damaged = (message: string) => new MillraceError('data_loss', `${path}: ${message}`);
  for (const name of ['layers', 'width', 'heads', 'kvHeads', 'headSize', 'feedForward', 'vocabulary', 'contextLength'] as const) {
    const [value, most] = [config[name], name === 'layers' ? MOST_LAYERS : LARGEST];
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw damaged(`${name} is ${value}, not an integer from 1 to ${most}`);
  }
  for (const name of ['normEpsilon', 'ropeBase'] as const) {
    if (!(config[name] > 0 && Number.isFinite(config[name]))) throw damaged(`${name} is ${config[name]}, not a positive number`);
  }
  if (heads % kvHeads !== 0) throw damaged(`${heads} heads of queries cannot share ${kvHeads} heads of keys and values`);
  if (headSize % 2 !== 0) throw damaged(`the head size ${headSize} is odd: rotary positions need pairs`);
  if (ropeFactors && (ropeFactors.length !== headSize / 2 || !ropeFactors.every((factor) => factor > 0 && factor < Infinity))) {
    throw damaged(`the factors of the rotary frequencies are not ${headSize / 2} positive numbers`);
  }
  return config;
}

/** A tensor that a model has: its name and shape as Hugging Face writes them, products as [out, in]. */
export interface ModelTensor {
  name: string;
  shape: readonly number[];
}

/** All tensors of a model, in an order that depends on the configuration alone. */
export function layoutOf(config: ModelConfig): ModelTensor[] {
  const { layers, width, vocabulary, tied } = config;
  const embedding = { name: 'model.embed_tokens.weight', shape: [vocabulary, width] };
  const last: ModelTensor[] = [{ name: 'model.norm.weight', shape: [width] }];
  if (!tied) last.push({ name: 'lm_head.weight', shape: [vocabulary, width] });
  return [embedding, ...Array.from({ length: layers }, (_, layer) => layerOf(config, layer)).flat(), ...last];
}

/** Name of a tensor of a layer: `layerTensor(0, 'mlp.up_proj.weight')`. */
export function layerTensor(layer: number, name: string): string {
  return `model.layers.${layer}.${name}`;
}

function layerOf(config: ModelConfig, layer: number): ModelTensor[] {
  const { width, heads, kvHeads, headSize, feedForward, attentionBias, headNorms } = config;
  const [queries, keys] = [heads * headSize, kvHeads * headSize];
  const tensors: [string, number[]][] = [
    ['input_layernorm.weight', [width]],
    ['self_attn.q_proj.weight', [queries, width]],
    ['self_attn.k_proj.weight', [keys, width]],
    ['self_attn.v_proj.weight', [keys, width]],
    ['self_attn.o_proj.weight', [width, queries]],
  ];
  if (attentionBias !== 'none') {
    tensors.push(['self_attn.q_proj.bias', [queries]], ['self_attn.k_proj.bias', [keys]], ['self_attn.v_proj.bias', [keys]]);
  }
  if (attentionBias === 'qkvo') tensors.push(['self_attn.o_proj.bias', [width]]);
  if (headNorms) tensors.push(['self_attn.q_norm.weight', [headSize]], ['self_attn.k_norm.weight', [headSize]]);
  tensors.push(
    ['post_attention_layernorm.weight', [width]],
    ['mlp.gate_proj.weight', [feedForward, width]],
    ['mlp.up_proj.weight', [feedForward, width]],
    ['mlp.down_proj.weight', [width, feedForward]],
  );
  return tensors.map(([name, shape]) => ({ name: layerTensor(layer, name), shape }));
}
