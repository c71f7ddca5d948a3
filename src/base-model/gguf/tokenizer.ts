/**
 * Tokenizers in the metadata of GGUF files, as `tokenizer.json` would have them. Sources: llama-vocab.cpp of llama.cpp for what
 * `tokenizer.ggml.pre` means, and the tokenizer.json of SmolLM2, Llama 3 and Qwen2.5 for how that is written there.
 */
import type { Fields } from '../fields.ts';
import type { TokenizerJson } from '../tokenizer.ts';
import { sentencePieceModel } from './sentence-piece.ts';

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const byteLevel = (regex: boolean): object => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: regex,
});
const split = (pattern: string): object => ({ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false });
const sequence = (...pretokenizers: object[]): object => ({ type: 'Sequence', pretokenizers });

/** How texts are cut before byte pairs are merged, by `tokenizer.ggml.pre`. */
const PRE_TOKENIZERS: Readonly<Record<string, { pre_tokenizer: object; normalizer?: object; ignoreMerges?: boolean }>> = {
  'gpt-2': { pre_tokenizer: byteLevel(true) },
  smollm: { pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)) },
  'llama-bpe': { pre_tokenizer: sequence(split(rest('{1,3}')), byteLevel(false)), ignoreMerges: true },
  qwen2: { pre_tokenizer: sequence(split(rest('')), byteLevel(false)), normalizer: { type: 'NFC' } },
};

/** `llama_token_type`: control tokens are special, those that a user defined are whole tokens as well. */
const CONTROL = 3;
const USER_DEFINED = 4;

/** What `createTokenizer` takes. `invalid_argument` for a kind that is not supported. */
export function tokenizerOf(fields: Fields): { json: TokenizerJson; settings: Record<string, string> } {
  const tokens = fields.strings('tokenizer.ggml.tokens');
  const types = fields.get('tokenizer.ggml.token_type') === undefined ? [] : fields.numbers('tokenizer.ggml.token_type');
  const added = tokens
    .map((content, id) => ({ id, content, special: types[id] === CONTROL, type: types[id] }))
    .filter(({ type }) => type === CONTROL || type === USER_DEFINED)
    .map(({ id, content, special }) => ({
      id,
      content,
      special,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    }));
  const kind = fields.get('tokenizer.ggml.model');
  const parts = kind === 'gpt2' ? bytePairs(fields, tokens) : kind === 'llama' ? sentencePieceModel(fields, tokens) : undefined;
  if (parts === undefined) throw fields.unsupported(`tokenizer.ggml.model ${JSON.stringify(kind)}; supported: "gpt2", "llama"`);
  const named = (name: string): string | undefined => tokens[fields.number(`tokenizer.ggml.${name}_token_id`, -1)];
  const begins = fields.boolean(
    'tokenizer.ggml.add_bos_token',
    kind === 'llama' || fields.get('tokenizer.ggml.pre') === 'llama-bpe',
  );
  const bos = named('bos');
  const json = {
    ...{ version: '1.0', truncation: null, padding: null, added_tokens: added, normalizer: null },
    ...parts,
    post_processor: begins && bos !== undefined ? beginsWith(bos, fields.number('tokenizer.ggml.bos_token_id')) : null,
  };
  const settings = { bos_token: bos, eos_token: named('eos'), unk_token: named('unknown'), pad_token: named('padding') };
  const known = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { json, settings: Object.fromEntries(known) };
}

function bytePairs(fields: Fields, tokens: readonly string[]): object {
  fields.supports('tokenizer.ggml.pre', Object.keys(PRE_TOKENIZERS));
  const { ignoreMerges = false, ...parts } = PRE_TOKENIZERS[(fields.get('tokenizer.ggml.pre') as string | undefined) ?? 'gpt-2']!;
  const merges = fields.strings('tokenizer.ggml.merges').map((merge) => merge.split(' '));
  const wrong = merges.findIndex((merge) => merge.length !== 2);
  if (wrong >= 0) throw fields.wrong('tokenizer.ggml.merges', `two pieces in entry ${wrong}`);
  return {
    ...parts,
    decoder: byteLevel(true),
    model: {
      type: 'BPE',
      vocab: vocabularyOf(tokens),
      merges,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
    },
  };
}

/** Ids by token. @param tokens - by id; of two with the same text the first counts */
function vocabularyOf(tokens: readonly string[]): Record<string, number> {
  // Without a prototype, so that a token may have any name.
  const vocabulary = Object.create(null) as Record<string, number>;
  tokens.forEach((token, id) => (vocabulary[token] ??= id));
  return vocabulary;
}

function beginsWith(token: string, id: number): object {
  return {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
