import { MillraceError } from '../errors.ts';

/** One token of ClickHouse SQL; comments and white space are left out. */
export interface Token {
  kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol';
  /** As written, except that quoted identifiers are without their quotes. */
  text: string;
  /** Offset of the first character. */
  start: number;
  /** Offset after the last character. */
  end: number;
}

const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /\d[A-Za-z0-9_]*(?:\.\d[A-Za-z0-9_]*)?/y;
const SPACE = /\s+/y;
const LINE_COMMENT = /(?:--|#[ !])[^\n]*/y;
const HEREDOC = /\$([A-Za-z0-9_]*)\$/y;

/**
 * Splits SQL into tokens the way ClickHouse does. Throws `invalid_argument` where the two could differ in what they read
 * (an unterminated literal, characters outside ASCII that are not quoted): a guard must never guess.
 */
export const tokenize = (sql: string): Token[] => [...lex(sql)];

/** {@link tokenize}, one token at a time: what follows `INSERT ... FORMAT` is data and no SQL. */
export function* lex(sql: string): Generator<Token, void, undefined> {
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(sql);
  };
  while (at < sql.length) {
    const start = at;
    const char = sql[at]!;
    const space = match(SPACE) ?? match(LINE_COMMENT);
    if (space) {
      at += space[0].length;
      continue;
    }
    if (sql.startsWith('/*', at)) {
      const close = sql.indexOf('*/', at + 2);
      if (close < 0) throw bad('a comment does not end', start);
      at = close + 2;
      continue;
    }
    if (char === "'" || char === '`' || char === '"') {
      at = endOfQuoted(sql, at);
      const kind = char === "'" ? 'string' : 'quoted';
      const text = kind === 'string' ? sql.slice(start, at) : unquote(sql.slice(start + 1, at - 1), char);
      yield { kind, text, start, end: at };
      continue;
    }
    const word = match(WORD);
    const number = word ?? match(NUMBER);
    if (number) {
      at += number[0].length;
      yield { kind: word ? 'word' : 'number', text: number[0], start, end: at };
      continue;
    }
    const heredoc = match(HEREDOC);
    if (heredoc) {
      const close = sql.indexOf(heredoc[0], at + heredoc[0].length);
      if (close < 0) throw bad('a heredoc does not end', start);
      at = close + heredoc[0].length;
      yield { kind: 'string', text: sql.slice(start, at), start, end: at };
      continue;
    }
    if (char < ' ' || char > '~' || char === '#' || char === '\\') {
      throw bad(`unexpected character ${JSON.stringify(char)}; put names and texts with such characters in quotes`, start);
    }
    at += 1;
    yield { kind: 'symbol', text: char, start, end: at };
  }
}

/** Splits a script at its semicolons; empty statements are left out. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let from: number | undefined;
  let to = 0;
  for (const token of tokenize(sql)) {
    if (token.kind === 'symbol' && token.text === ';') {
      if (from !== undefined) statements.push(sql.slice(from, to));
      from = undefined;
    } else {
      from ??= token.start;
      to = token.end;
    }
  }
  if (from !== undefined) statements.push(sql.slice(from, to));
  return statements;
}

/** The offset after the closing quote; both a backslash and a doubled quote escape it. */
function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start]!;
  for (let at = start + 1; at < sql.length; at += 1) {
    if (sql[at] === '\\') at += 1;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  throw bad(`a ${quote} is not closed`, start);
}

const unquote = (inner: string, quote: string): string =>
  inner
    .replaceAll(quote + quote, quote)
    .replaceAll(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replaceAll(/\\(.)/gs, '$1');

/** The text that a string literal stands for. */
export const unquoted = (literal: string): string =>
  literal.startsWith("'")
    ? literal
        .slice(1, -1)
        .replaceAll(/''|\\x([0-9a-fA-F]{2})|\\(.)/gs, (_, hex: string | undefined, char: string | undefined) => {
          if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
          return char === undefined ? "'" : (ESCAPES[char] ?? char);
        })
    : literal.replace(/^\$[^$]*\$/, '').replace(/\$[^$]*\$$/, '');
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0', b: '\b', f: '\f' };

function bad(what: string, at: number): MillraceError {
  return new MillraceError('invalid_argument', `SQL at character ${at + 1}: ${what}`, { field: 'sql' });
}
