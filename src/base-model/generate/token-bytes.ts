/** What tokens add to a text, as bytes. */
import { MillraceError } from '../../errors.ts';
import type { TextTokenizer } from '../tokenizer.ts';

/** The tokens of a vocabulary that add bytes to a text, sorted by their bytes. */
export interface TokenBytes {
  ids: Uint32Array;
  bytes: readonly Uint8Array[];
  /** How many bytes each begins with like the one before it. */
  shared: Uint16Array;
  /** Bytes of a token by its id. */
  of: ReadonlyMap<number, Uint8Array>;
}

const known = new WeakMap<object, TokenBytes>();

/** Tokens by their bytes, made once for a tokenizer. `failed_precondition` when none of its tokens is text. */
export function tokenBytes(tokenizer: Pick<TextTokenizer, 'pieces'>): TokenBytes {
  let table = known.get(tokenizer);
  if (table === undefined) known.set(tokenizer, (table = sorted(tokenizer.pieces())));
  return table;
}

function sorted(pieces: ReadonlyMap<number, Uint8Array>): TokenBytes {
  const entries = [...pieces].filter(([, bytes]) => bytes.length > 0);
  if (entries.length === 0) throw new MillraceError('failed_precondition', 'the tokenizer has no tokens that are text');
  entries.sort(([idA, a], [idB, b]) => Buffer.compare(a, b) || idA - idB);
  const bytes = entries.map(([, each]) => each);
  const shared = Uint16Array.from(bytes, (each, index) => (index === 0 ? 0 : sharedBytes(bytes[index - 1]!, each)));
  return { ids: Uint32Array.from(entries, ([id]) => id), bytes, shared, of: new Map(entries) };
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
