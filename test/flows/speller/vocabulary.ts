import type { Reading } from 'millrace';

/** Tokens that the policy writes; 0 ends a text. */
export const WRITTEN = ['', 'look(', 'pick(', ')', '"red"', '"green"', '"blue"'] as const;
/** Tokens that it only reads: the beginning, and what a tool answered. */
const READ = ['?', '=red', '=green', '=blue', '=other'] as const;

export const END = 0;
export const CLOSE = WRITTEN.indexOf(')');
export const START = WRITTEN.length;
/** How many tokens are only read. */
export const STATES = READ.length;

/** The state that a token of {@link READ} stands for. */
export const stateOf = (token: number): number => token - START;

/** What follows in the prompt after an answer. */
export function answerToken(answer: string): number {
  const at = (READ as readonly string[]).indexOf(`=${answer}`);
  return START + (at < 0 ? STATES - 1 : at);
}

/** What may follow a written token; before the first one, `undefined`. After `)` the text has to end. */
export const following = (token: number | undefined): readonly number[] => (token === CLOSE ? [END] : ANYTHING);
const ANYTHING = WRITTEN.map((_, token) => token);

/** How likely a beginner's text goes on as a call does. */
export function isGrammatical(before: number | undefined, token: number): boolean {
  const [word, previous] = [WRITTEN[token]!, before === undefined ? undefined : WRITTEN[before]!];
  if (previous === undefined) return word.endsWith('(');
  if (previous === 'pick(') return word.startsWith('"');
  return previous === 'look(' || previous.startsWith('"') ? word === ')' : false;
}

/** `look()` and `pick("red")` are calls; anything else is none. */
export function read(tokens: readonly number[]): Reading {
  const text = tokens.map((token) => WRITTEN[token] ?? '').join('');
  const [, tool, colour] = /^(look|pick)\((?:"(\w+)")?\)$/.exec(text) ?? [];
  return { text, calls: tool === undefined ? [] : [{ tool, arguments: colour === undefined ? {} : { colour } }] };
}
