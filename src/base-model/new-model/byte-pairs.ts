/** Learns byte pairs (Sennrich et al., arXiv 1508.07909) from a text, over the bytes of UTF-8 as GPT-2 writes them. */
import { byteCharacters } from '../pieces.ts';

/** How GPT-2 cuts a text: pairs do not reach over these borders. The pre-tokenizer `ByteLevel` cuts in the same way. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Tokens of the 256 bytes, then one for each merge, and the merges, in order. */
export interface BytePairs {
  tokens: string[];
  merges: [string, string][];
}

/** Merges the most frequent pair, of equals the one that was met first, until there are `most` tokens or no pair comes twice. */
export function learnBytePairs(text: string, most: number): BytePairs {
  const characters = byteCharacters();
  const counts = new Map<string, number>();
  for (const piece of text.match(PIECES) ?? []) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const words = [...counts].map(([piece, count]) => ({
    parts: [...Buffer.from(piece)].map((byte) => characters[byte]!),
    count,
  }));
  const pairs: BytePairs = { tokens: [...characters], merges: [] };
  while (pairs.tokens.length < most) {
    const pair = mostFrequent(words);
    if (pair === undefined) break;
    const [first, second] = pair;
    pairs.merges.push(pair);
    pairs.tokens.push(first + second);
    for (const word of words) word.parts = merged(word.parts, first, second);
  }
  return pairs;
}

interface Word {
  parts: string[];
  count: number;
}

function mostFrequent(words: readonly Word[]): [string, string] | undefined {
  const counts = new Map<string, { pair: [string, string]; count: number }>();
  for (const { parts, count } of words)
    for (let i = 0; i + 1 < parts.length; i++) {
      const key = `${parts[i]!} ${parts[i + 1]!}`;
      const seen = counts.get(key);
      if (seen === undefined) counts.set(key, { pair: [parts[i]!, parts[i + 1]!], count });
      else seen.count += count;
    }
  let best: { pair: [string, string]; count: number } | undefined;
  for (const each of counts.values()) if (each.count > (best?.count ?? 1)) best = each;
  return best?.pair;
}

function merged(parts: readonly string[], first: string, second: string): string[] {
  const made: string[] = [];
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] === first && parts[i + 1] === second) {
      made.push(first + second);
      i += 1;
    } else made.push(parts[i]!);
  }
  return made;
}
