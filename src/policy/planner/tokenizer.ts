import { MillraceError } from '../../errors.ts';

/** Options of {@link tokenize}. */
export interface TokenizerOptions {
  /** Ids are in [1, buckets); 0 is padding. >= 2. */
  buckets: number;
  /** Tokens kept, from the front. >= 1. */
  maxLength: number;
}

/** A run of letters (an apostrophe within belongs to it), a number, or any single other character. */
const TOKEN = /[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*|\d+(?:[.,]\d+)*|[^\s]/gu;
const DIGIT = /^\d/;
const LONGEST_SHAPE = 12;

/**
 * Token ids of a text: words in lower case, punctuation split off, numbers as shapes ("1,250.5" and "3,417.9" are one
 * token: values reach the policy as features, not as words), each hashed into [1, buckets).
 */
export function tokenize(text: string, options: TokenizerOptions): Int32Array {
  return tokenizeWithPositions(text, options).tokens;
}

/**
 * Like {@link tokenize}; `positions[k]` is the token that the k-th whitespace-separated word of the text starts at, -1 when
 * it lies beyond the tokens kept. It maps `at` of a plan's items to token positions.
 */
export function tokenizeWithPositions(text: string, options: TokenizerOptions): { tokens: Int32Array; positions: Int32Array } {
  const { buckets, maxLength } = options;
  if (!Number.isInteger(buckets) || buckets < 2) {
    throw new MillraceError('invalid_argument', `buckets must be an integer of at least 2, got ${buckets}`, {
      field: 'text.buckets',
    });
  }
  const words = text.split(/\s+/u).filter((word) => word !== '');
  const tokens: number[] = [];
  const positions = new Int32Array(words.length).fill(-1);
  for (const [index, word] of words.entries()) {
    if (tokens.length >= maxLength) break;
    positions[index] = tokens.length;
    for (const piece of word.match(TOKEN) ?? []) {
      if (tokens.length >= maxLength) break;
      tokens.push(1 + (fnv1a(DIGIT.test(piece) ? numberShape(piece) : piece.toLowerCase()) % (buckets - 1)));
    }
  }
  return { tokens: Int32Array.from(tokens), positions };
}

/** "250" -> "<3>", "1,250.5" -> "<1,3.1>": digit counts and separators; long runs share one shape. */
function numberShape(digits: string): string {
  return `<${digits.replace(/\d+/g, (run) => String(Math.min(run.length, LONGEST_SHAPE)))}>`;
}

/** 32-bit FNV-1a over the UTF-8 bytes. Source: draft-eastlake-fnv. */
function fnv1a(word: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(word, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
