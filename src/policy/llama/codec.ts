/** What the decisions of a group were: the tokens that were read and those that were written. */
import { MillraceError } from '../../errors.ts';
import { requireCodec, type Experience } from '../experience.ts';

/** Kind and format of the payload. */
export const LLAMA_CODEC = { kind: 'llama', codec: 'llama/1' };

/** One decision. */
export interface WrittenDecision {
  prompt: readonly number[];
  tokens: readonly number[];
}

/**
 * Unsigned variable-length integers: the number of prompts; for each how many tokens it begins with as the one before does, how many follow, and
 * those; for each decision the index of its prompt, how many tokens were written, and those.
 */
export function encodeDecisions(decisions: readonly WrittenDecision[]): Uint8Array {
  const prompts = new Map<readonly number[], number>();
  for (const { prompt } of decisions) if (!prompts.has(prompt)) prompts.set(prompt, prompts.size);
  const bytes: number[] = [];
  put(bytes, [prompts.size]);
  let before: readonly number[] = [];
  for (const prompt of prompts.keys()) {
    const same = sharedLength(before, prompt);
    put(bytes, [same, prompt.length - same]);
    put(bytes, prompt.slice(same));
    before = prompt;
  }
  for (const { prompt, tokens } of decisions) {
    put(bytes, [prompts.get(prompt)!, tokens.length]);
    put(bytes, tokens);
  }
  return Uint8Array.from(bytes);
}

/**
 * The decisions of an experience. `failed_precondition` when another codec wrote it; `invalid_argument` with `field` when it is damaged or does not
 * hold as many tokens as its columns say.
 *
 * @param vocabulary - tokens that there are
 */
export function decodeDecisions(experience: Experience, field: string, vocabulary: number): WrittenDecision[] {
  requireCodec(experience, LLAMA_CODEC);
  const { payload, decisionLengths } = experience;
  const damaged = (what: string) => new MillraceError('invalid_argument', `${field}: ${what}`, { field });
  const reader = new Reader(payload, () => damaged('the payload ends early, or holds numbers that are too large'));
  const tokens = (count: number): number[] => {
    const read = reader.many(count);
    if (read.some((token) => token >= vocabulary)) throw damaged(`it holds a token that the model has not: it has ${vocabulary}`);
    return read;
  };
  const prompts: number[][] = [];
  for (let left = reader.next(); left > 0; left--) {
    const [same, added] = [reader.next(), reader.next()];
    const before = prompts.at(-1) ?? [];
    if (same > before.length) throw damaged('a prompt shares more tokens than the one before it has');
    const prompt = [...before.slice(0, same), ...tokens(added)];
    if (prompt.length === 0) throw damaged('a prompt is empty');
    prompts.push(prompt);
  }
  const decisions: WrittenDecision[] = [];
  while (!reader.isAtEnd) {
    const prompt = prompts[reader.next()];
    if (prompt === undefined) throw damaged('a decision names a prompt that is not there');
    decisions.push({ prompt, tokens: tokens(reader.next()) });
  }
  const lengths = decisions.map((decision) => decision.tokens.length);
  if (lengths.join() !== decisionLengths.join()) {
    throw damaged('the decisions have other numbers of tokens than the columns say');
  }
  return decisions;
}

function put(bytes: number[], numbers: readonly number[]): void {
  for (const number of numbers) {
    let rest = number;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
    bytes.push(rest);
  }
}

function sharedLength(first: readonly number[], second: readonly number[]): number {
  let length = 0;
  while (length < first.length && length < second.length && first[length] === second[length]) length++;
  return length;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #error: () => MillraceError;
  #at = 0;

  constructor(bytes: Uint8Array, error: () => MillraceError) {
    this.#bytes = bytes;
    this.#error = error;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  next(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 35; scale *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw this.#error();
  }

  many(count: number): number[] {
    // Each takes at least a byte: no payload makes this allocate more than it holds.
    if (count > this.#bytes.length - this.#at) throw this.#error();
    return Array.from({ length: count }, () => this.next());
  }
}
