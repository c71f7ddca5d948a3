import { Tokenizer } from '@huggingface/tokenizers';
import { MillraceError } from '../errors.ts';
import { tokenPieces } from './pieces.ts';

/** Text to token ids and back, as the model was trained with. */
export interface TextTokenizer {
  /**
   * Token ids of a text. Special tokens that stand in the text are recognised: never pass what a stranger wrote together with a template.
   *
   * @param options.special - add what the model wants at the start, such as a token for the beginning. Default: true
   */
  encode(text: string, options?: { special?: boolean }): number[];
  /** Text of token ids. @param options.skipSpecial - leave special tokens out. Default: false */
  decode(ids: readonly number[], options?: { skipSpecial?: boolean }): string;
  /** Id of a token by its text; undefined when there is none. */
  idOf(token: string): number | undefined;
  /** Bytes that each token stands for, by its id; special tokens are not among them. Made anew by each call. */
  pieces(): Map<number, Uint8Array>;
  /** Texts of the special tokens, such as those that begin and end messages. */
  readonly specials: readonly string[];
}

/** What is used of the library, whose own declarations TypeScript cannot resolve in Node's way. */
interface Library {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
  decode(ids: number[], options: { skip_special_tokens: boolean }): string;
  token_to_id(token: string): number | undefined;
}
const LibraryTokenizer = Tokenizer as unknown as new (json: TokenizerJson, config: object) => Library;

/** A `tokenizer.json`, parsed. */
export type TokenizerJson = Readonly<Record<string, unknown>>;

/**
 * Makes a tokenizer. `data_loss` when the description makes no sense, or has tokens that the model has not.
 *
 * @param json - content of `tokenizer.json`
 * @param config - content of `tokenizer_config.json`
 * @param file - `path`: what errors call it; `vocabulary`: tokens of the model
 */
export function createTokenizer(
  json: TokenizerJson,
  config: Readonly<Record<string, unknown>>,
  file: { path: string; vocabulary: number },
): TextTokenizer {
  const largest = largestId(json);
  if (largest >= file.vocabulary) {
    throw new MillraceError('data_loss', `${file.path} has token id ${largest}; the model has ${file.vocabulary} tokens`);
  }
  let tokenizer: Library;
  try {
    // Spaces before punctuation are part of what the model said.
    tokenizer = new LibraryTokenizer(json, { ...config, clean_up_tokenization_spaces: false });
  } catch (error) {
    throw new MillraceError('data_loss', `${file.path} is not a usable tokenizer: ${(error as Error).message}`, { cause: error });
  }
  return {
    encode: (text, { special = true } = {}) => tokenizer.encode(text, { add_special_tokens: special }).ids,
    decode: (ids, { skipSpecial = false } = {}) =>
      ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: skipSpecial }),
    idOf: (token) => tokenizer.token_to_id(token),
    pieces: () => tokenPieces(json),
    specials: specialsOf(json),
  };
}

function specialsOf(json: TokenizerJson): string[] {
  const added = Array.isArray(json['added_tokens']) ? (json['added_tokens'] as { content?: unknown; special?: unknown }[]) : [];
  return added.flatMap(({ content, special }) => (special === true && typeof content === 'string' ? [content] : []));
}

function largestId(json: TokenizerJson): number {
  const { vocab } = (json['model'] ?? {}) as { vocab?: unknown };
  let largest = -1;
  if (typeof vocab === 'object' && vocab !== null)
    for (const id of Object.values(vocab)) largest = Math.max(largest, id as number);
  const added = Array.isArray(json['added_tokens']) ? (json['added_tokens'] as { id?: number }[]) : [];
  for (const token of added) largest = Math.max(largest, token.id ?? -1);
  return largest;
}
