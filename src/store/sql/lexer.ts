import { MillraceError } from '../../errors.ts';

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

/** Tokens of one statement. More would keep the event loop from other work for too long; rows belong behind FORMAT. */
export const MAX_TOKENS = 50_000;
/** How deep brackets may be nested; the engine's parser gives up soon after. */
export const MAX_DEPTH = 200;
/** Characters of all quoted names together, as the engine's own bound of a statement: their escapes are read one at a time. */
const MAX_QUOTED = 256 * 1024;
/** Sum over all tokens of how deep each is nested: a long list deep inside makes the engine's syntax tree huge. */
const MAX_NESTED = 2_000_000;

const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y;
const NUMBER = /\d[A-Za-z0-9_]*(?:\.\d[A-Za-z0-9_]*)?/y;
const SPACE = /[ \t\n\v\f\r]+/y;
const LINE_COMMENT = /(?:--|#[ !])[^\n]*/y;
const HEREDOC = /\$([A-Za-z0-9_]*)\$/y;

/**
 * Splits SQL into tokens the way ClickHouse does, in time linear in its length. Throws `invalid_argument` where the two could differ
 * in what they read (an unterminated literal, NUL, characters outside ASCII that are not quoted): a guard must never guess. Throws
 * it as well for more than {@link MAX_TOKENS} tokens and brackets deeper than {@link MAX_DEPTH}.
 */
export const sqlTokens = (sql: string): Token[] => [...lex(sql)];

/** {@link sqlTokens}, one token at a time: what follows `INSERT ... FORMAT` is data and no SQL. */
export function* lex(sql: string): Generator<Token, void, undefined> {
  let at = 0;
  let [tokens, depth, nested, quoted] = [0, 0, 0, 0];
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.test(sql) ? pattern.lastIndex : -1;
  };
  while (at < sql.length) {
    const start = at;
    const blank = skipBlank(sql, at, match);
    if (blank > at) {
      at = blank;
      continue;
    }
    tokens += 1;
    nested += depth;
    if (tokens > MAX_TOKENS)
      throw bad(`a statement may have ${MAX_TOKENS} tokens; send rows as data behind INSERT ... FORMAT`, start);
    const char = sql[at]!;
    if (char === "'" || char === '`' || char === '"') {
      at = endOfQuoted(sql, at);
      if (char === "'") yield { kind: 'string', text: sql.slice(start, at), start, end: at };
      else if ((quoted += at - start) > MAX_QUOTED)
        throw bad(`quoted names may have ${MAX_QUOTED} characters together; texts go in '...'`, start);
      else yield { kind: 'quoted', text: identifier(sql, start, at, char), start, end: at };
      continue;
    }
    const word = match(WORD);
    const end = word > 0 ? word : match(NUMBER);
    if (end > 0) {
      at = end;
      yield { kind: word > 0 ? 'word' : 'number', text: sql.slice(start, at), start, end: at };
      continue;
    }
    const heredoc = match(HEREDOC);
    if (heredoc > 0) {
      const tag = sql.slice(start, heredoc);
      const close = sql.indexOf(tag, heredoc);
      if (close < 0) throw bad('a heredoc does not end', start);
      at = close + tag.length;
      assertNoNul(sql, start, at);
      yield { kind: 'string', text: sql.slice(start, at), start, end: at };
      continue;
    }
    if (char < ' ' || char > '~' || char === '#' || char === '\\') {
      throw bad(`unexpected character ${JSON.stringify(char)}; put names and texts with such characters in quotes`, start);
    }
    if (char === '(' || char === '[' || char === '{') depth += 1;
    else if (char === ')' || char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH || nested > MAX_NESTED) throw bad(`brackets are nested too deeply (at most ${MAX_DEPTH})`, start);
    at += 1;
    yield { kind: 'symbol', text: char, start, end: at };
  }
}

/** The offset behind a run of white space or one comment. */
function skipBlank(sql: string, at: number, match: (pattern: RegExp) => number): number {
  const space = match(SPACE);
  if (space > 0) return space;
  const line = match(LINE_COMMENT);
  if (line > 0) return assertNoNul(sql, at, line);
  if (!sql.startsWith('/*', at)) return at;
  const close = sql.indexOf('*/', at + 2);
  if (close < 0) throw bad('a comment does not end', at);
  return assertNoNul(sql, at, close + 2);
}

/** Splits a script at its semicolons; empty statements are left out. */
export function splitStatements(sql: string): string[] {
  const statements: string[] = [];
  let from: number | undefined;
  let to = 0;
  for (const token of sqlTokens(sql)) {
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
    const char = sql[at];
    if (char === '\\') at += 1;
    else if (char === quote) {
      if (sql[at + 1] !== quote) return assertNoNul(sql, start, at + 1);
      at += 1;
    }
  }
  throw bad(`a ${quote} is not closed`, start);
}

/** An engine that takes the text as a C string would see another statement. */
function assertNoNul(sql: string, start: number, end: number): number {
  const at = sql.slice(start, end).indexOf('\0');
  if (at >= 0) throw bad('it holds the character NUL; write \\0 in a text', start + at);
  return end;
}

function identifier(sql: string, start: number, end: number, quote: string): string {
  const name = unquote(sql.slice(start + 1, end - 1), quote);
  if (isPlainName(name)) return name;
  throw bad('a name holds a control character', start);
}

/** Names that would break a line where the engine prints its syntax tree are nobody's. */

export const isPlainName = (name: string): boolean => !/[\x00-\x1f\x7f\u2028\u2029]/.test(name);

const unquote = (inner: string, quote: string): string =>
  inner.replaceAll(/\\x([0-9a-fA-F]{2})|\\(.)|``|""/gs, (pair: string, hex: string | undefined, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    if (char !== undefined) return ESCAPES[char] ?? char;
    return pair[0] === quote ? quote : pair;
  });

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
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  0: '\0',
  b: '\b',
  f: '\f',
  a: '\x07',
  e: '\x1b',
  v: '\v',
};

/** A statement that cannot be read. */
function bad(what: string, at: number): MillraceError {
  return new MillraceError('invalid_argument', `SQL at character ${at + 1}: ${what}`, { field: 'sql' });
}
