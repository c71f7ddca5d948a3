/** Names that llama.cpp gives to tensors. Source: gguf/tensor_mapping.py of llama.cpp. */

const TOP: Readonly<Record<string, string>> = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
};
const IN_LAYER: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** What a GGUF file calls a tensor of Hugging Face's name. */
export function ggufName(name: string): string {
  const [, stem, kind] = /^(.*)\.(weight|bias)$/.exec(name)!;
  const inLayer = /^model\.layers\.(\d+)\.(.*)$/.exec(stem!);
  return inLayer === null ? `${TOP[stem!]}.${kind}` : `blk.${inLayer[1]}.${IN_LAYER[inLayer[2]!]}.${kind}`;
}

/**
 * Rows of queries or keys in the order of Hugging Face. In GGUF files of architecture `llama` the two halves of a head are interleaved, because
 * llama.cpp rotates neighbours where Hugging Face rotates halves. Source: `LlamaModel.permute` of convert_hf_to_gguf.py, which this undoes.
 *
 * @param values - of [heads · size, columns]
 */
export function unpermuted(values: Float32Array, heads: number, size: number): Float32Array {
  const columns = values.length / (heads * size);
  const result = new Float32Array(values.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < size; i++) {
      const from = (head * size + i) * columns;
      const to = (head * size + (i % 2) * (size / 2) + (i >> 1)) * columns;
      result.set(values.subarray(from, from + columns), to);
    }
  }
  return result;
}
