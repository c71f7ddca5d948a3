import { MillraceError } from '../../errors.ts';
import { sqlTokens } from './lexer.ts';
import type { Token } from './lexer.ts';

const READ_STATEMENTS = new Set(['select', 'with', 'show', 'describe', 'desc', 'exists', 'explain']);

/** With what no statement ends. */
const UNFINISHED = new Set(
  'select with from join using on where prewhere by having and or not in like as union = < > + - / % . ( [ {'.split(' '),
);

/** Why a statement is not let through. */
export interface Refusal {
  /**
   * `empty`: nothing there; `verb`: no reading statement; `many`: more than one; `outside`: something that is not known to be harmless;
   * `unknown`: a function that does not exist; `clause`: INTO, FORMAT or SETTINGS where there may be none.
   */
  kind: 'empty' | 'verb' | 'many' | 'outside' | 'unknown' | 'clause';
  message: string;
  /** What it is about. */
  token?: Token;
}

/**
 * What is wrong with the form of a statement (without semicolons at its end) that should only read the store. What it calls and reads
 * is the judge's business (judge.ts).
 */
export function refusal(tokens: readonly Token[]): Refusal | undefined {
  const first = tokens.find((token) => !isSymbol(token, '('));
  if (first === undefined) return { kind: 'empty', message: 'the statement is empty; write a SELECT' };
  if (first.kind !== 'word' || !READ_STATEMENTS.has(first.text.toLowerCase())) {
    const message = `${first.text.slice(0, 40)} is not allowed; only SELECT, WITH, SHOW, DESCRIBE, EXISTS and EXPLAIN are`;
    return { kind: 'verb', message, token: first };
  }
  for (const [index, token] of tokens.entries()) {
    const found = wrongClause(token, tokens[index + 1]);
    if (found) return found;
    if (isWord(token, 'settings') && beginsSettings(tokens, index + 1)) return { kind: 'clause', message: NO_SETTINGS, token };
  }
  const last = tokens.at(-1)!;
  // What is put behind it would be taken for what is missing.
  if (UNFINISHED.has(last.text.toLowerCase()) && (last.kind === 'word' || last.kind === 'symbol')) {
    return { kind: 'clause', message: `the statement ends after ${last.text}; something is missing`, token: last };
  }
  return undefined;
}

/** A statement in the right form. */
export interface Guarded {
  /** Without trailing semicolons and comments. */
  sql: string;
  tokens: readonly Token[];
}

/**
 * Checks that `sql` is one statement of a kind that only reads, without clauses that write or change how it runs. Throws
 * `invalid_argument` saying what is not allowed.
 */
export function guardQuery(sql: string): Guarded {
  const tokens = withoutEnd(sqlTokens(sql));
  const refused = refusal(tokens);
  if (refused) throw refusedQuery(refused);
  return { sql: sql.slice(tokens[0]!.start, tokens.at(-1)!.end), tokens: rebased(tokens) };
}

/** Tokens with their offsets counted from the first of them. */
export function rebased(tokens: readonly Token[]): readonly Token[] {
  const by = tokens[0]?.start ?? 0;
  return by === 0 ? tokens : tokens.map((token) => ({ ...token, start: token.start - by, end: token.end - by }));
}

/** A refusal as an error for people. */
export const refusedQuery = (refused: Refusal): MillraceError =>
  new MillraceError('invalid_argument', `query refused: ${refused.message}`, { field: 'sql' });

/** The tokens without semicolons at the end. */
export function withoutEnd(tokens: readonly Token[]): Token[] {
  const end = tokens.findLastIndex((token) => !isSymbol(token, ';'));
  return tokens.slice(0, end + 1);
}

function wrongClause(token: Token, next: Token | undefined): Refusal | undefined {
  if (isSymbol(token, ';'))
    return { kind: 'many', message: 'only one statement at a time; leave out what follows the ";"', token };
  if (token.kind !== 'word') return undefined;
  const word = token.text.toLowerCase();
  if (word === 'into') return { kind: 'clause', message: 'INTO is not allowed: a query writes nothing, no file either', token };
  if (word !== 'format' || isSymbol(next, '(')) return undefined;
  const message = 'leave FORMAT out: the result comes as typed rows (a column of that name goes in backticks)';
  return { kind: 'clause', message, token };
}

/** The engine takes settings in subqueries even where it is told to be read-only, and some of them hold SQL. */
export const NO_SETTINGS = 'queries run with settings of the store; leave SETTINGS out';

/**
 * Whether settings begin at a token: `name = value`, perhaps behind names without a value (`final`, which means `final = true`) or with
 * dots.
 */
export function beginsSettings(tokens: readonly Token[], at: number): boolean {
  const isName = (token: Token | undefined): boolean => token?.kind === 'word' || token?.kind === 'quoted';
  for (let index = at; isName(tokens[index]); index += 2) {
    const next = tokens[index + 1];
    if (isSymbol(next, '=')) return true;
    if (!isSymbol(next, ',') && !isSymbol(next, '.')) return false;
  }
  return false;
}

/** Whether a token is this symbol. */
export const isSymbol = (token: Token | undefined, text: string): boolean => token?.kind === 'symbol' && token.text === text;

/** Whether a token is this word, written without quotes. */
export const isWord = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'word' && token.text.toLowerCase() === text;

/** Whether a token begins something in brackets. */
export const isOpening = (token: Token): boolean => token.kind === 'symbol' && /^[([{]$/.test(token.text);
/** Whether a token ends something in brackets. */
export const isClosing = (token: Token): boolean => token.kind === 'symbol' && /^[)\]}]$/.test(token.text);
