/** Llamas that begin with random weights and a tokenizer of their own: the same ones everywhere for the same description. */
import { seededRandom } from '../../random/seeded.ts';
import { baseModel, type BaseModel } from '../base-model.ts';
import { createChatTemplate } from '../chat/template.ts';
import { layoutOf, type ModelConfig } from '../config.ts';
import { createTokenizer, type TokenizerJson } from '../tokenizer.ts';
import { NEW_MODEL_PATH, type NewModel } from './description.ts';
import { learnBytePairs } from './byte-pairs.ts';

/** Ends a message; begin one. */
const MARKS = ['<|end|>', '<|system|>', '<|user|>', '<|assistant|>', '<|tool|>'];
/** Compiled kernels are exact for any batch where widths are multiples of this. */
const MULTIPLE = 32;
const TEMPLATE =
  "{% if tools %}<|system|>{% for tool in tools %}{{ tool.function.name + ' ' }}{% endfor %}<|end|>{% endif %}" +
  "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}" +
  "{% for call in message['tool_calls'] or [] %}{{ '<tool_call>\n' }}" +
  '{{ \'{"name": "\' + call.function.name + \'", "arguments": \' }}{{ call.function.arguments | tojson }}{{ \'}\n</tool_call>\' }}' +
  "{% endfor %}{{ '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

/** Opens a new model. Its numbers are drawn when they are read. */
export function openNewModel(made: NewModel): BaseModel {
  const { tokenizerJson, vocabulary } = tokenizerOf(made);
  const config = configOf(made, vocabulary);
  const path = NEW_MODEL_PATH;
  const shapes = new Map(layoutOf(config).map(({ name, shape }) => [name, shape]));
  return baseModel({
    ...{ path, config, tokenizerJson, templateSource: TEMPLATE, stopTokens: [0] },
    tokenizer: createTokenizer(tokenizerJson, {}, { path, vocabulary }),
    chatTemplate: createChatTemplate(TEMPLATE, {}, path),
    read: (name) => Promise.resolve(draw(name, shapes.get(name)!, made)),
    close: () => Promise.resolve(),
  });
}

/** Its files in the layout of Hugging Face, but for the weights. */
export function newModelFiles(made: NewModel): Readonly<Record<string, string>> {
  const { tokenizerJson, vocabulary } = tokenizerOf(made);
  const { layers, width, heads, feedForward, contextLength, normEpsilon, ropeBase, headSize } = configOf(made, vocabulary);
  const config = {
    ...{ model_type: 'llama', architectures: ['LlamaForCausalLM'], hidden_act: 'silu', tie_word_embeddings: true },
    ...{ hidden_size: width, intermediate_size: feedForward, num_hidden_layers: layers, head_dim: headSize },
    ...{ num_attention_heads: heads, num_key_value_heads: heads, max_position_embeddings: contextLength },
    ...{ rms_norm_eps: normEpsilon, rope_theta: ropeBase, vocab_size: vocabulary, eos_token_id: 0, torch_dtype: 'float32' },
  };
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
  return {
    'config.json': json(config),
    'tokenizer.json': json(tokenizerJson),
    'tokenizer_config.json': json({ tokenizer_class: 'PreTrainedTokenizerFast', eos_token: MARKS[0] }),
    'chat_template.jinja': TEMPLATE,
  };
}

function configOf({ layers, width, heads, feedForward, contextLength }: NewModel, vocabulary: number): ModelConfig {
  return {
    ...{ family: 'llama', layers, width, heads, kvHeads: heads, headSize: width / heads, feedForward, vocabulary, contextLength },
    ...{ normEpsilon: Math.fround(1e-5), ropeBase: 1e4, attentionBias: 'none', headNorms: false, tied: true },
  };
}

/** Tokens: {@link MARKS}, bytes, merges, and unused ones up to a multiple of {@link MULTIPLE}. */
function tokenizerOf({ text, vocabulary }: NewModel): { tokenizerJson: TokenizerJson; vocabulary: number } {
  const { tokens, merges } = learnBytePairs(text, vocabulary - MARKS.length);
  const used = MARKS.length + tokens.length;
  const unused = Array.from({ length: (MULTIPLE - (used % MULTIPLE)) % MULTIPLE }, (_, i) => `<|unused${i}|>`);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added = [
    ...MARKS.map((content, id) => ({ id, content, ...flags })),
    ...unused.map((content, i) => ({ id: used + i, content, ...flags })),
  ];
  return {
    vocabulary: used + unused.length,
    tokenizerJson: {
      version: '1.0',
      ...{ normalizer: null, post_processor: null, decoder: { type: 'ByteLevel' }, added_tokens: added },
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
      model: {
        type: 'BPE',
        vocab: Object.fromEntries([...MARKS, ...tokens, ...unused].map((token, id) => [token, id])),
        merges,
      },
    },
  };
}

/** Normal numbers with a deviation of 1/√in, of products that add to the residual stream less; norms are 1. */
function draw(name: string, shape: readonly number[], { layers, width, seed }: NewModel): Float32Array {
  const size = shape.reduce((product, length) => product * length, 1);
  if (shape.length === 1) return new Float32Array(size).fill(1);
  const random = seededRandom(seed).fork(name);
  const isOutput = name.includes('o_proj') || name.includes('down_proj');
  const input = name.includes('embed_tokens') ? width : shape[1]!;
  const deviation = 1 / Math.sqrt(input * (isOutput ? 2 * layers : 1));
  return Float32Array.from({ length: size }, () => deviation * random.normal());
}
