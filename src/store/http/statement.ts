import { MillraceError } from '../../errors.ts';
import { isSymbol, outsideCall, refusal, withoutEnd } from '../guard.ts';
import { lex, tokenize, unquoted } from '../lexer.ts';
import type { Token } from '../lexer.ts';
import { exception } from './exception.ts';

/** A statement that reads, with the clauses at its end taken off. */
export interface ReadStatement {
  kind: 'read';
  /** Its first word, in lower case. */
  verb: string;
  /** Without FORMAT, SETTINGS, comments around it and semicolons. */
  sql: string;
  format: string | undefined;
  settings: [string, string][];
  placeholders: readonly string[];
}

/** `INSERT ... FORMAT`: the rows are data behind it. */
export interface InsertStatement {
  kind: 'insert';
  /** `INSERT INTO table (columns)`. */
  into: string;
  format: string;
  settings: [string, string][];
  /** Where the data begins in the text. */
  dataAt: number;
  placeholders: readonly string[];
}

/** Any other statement that changes something. */
export interface WriteStatement {
  kind: 'write';
  sql: string;
  placeholders: readonly string[];
}

/** Statements that change something, for those who may. */
const WRITE_VERBS = new Set([
  'insert',
  'create',
  'alter',
  'drop',
  'truncate',
  'rename',
  'exchange',
  'optimize',
  'delete',
  'update',
]);

/** The other words that statements begin with: known, and granted to nobody here. */
const OTHER_VERBS = new Set(
  'set use system kill grant revoke attach detach backup restore undrop move check watch begin commit rollback'.split(' '),
);

/** Where a table may keep its rows: in this engine, and nowhere else. */
const LOCAL_ENGINES =
  /^(?:(?:Replacing|Summing|Aggregating|Collapsing|VersionedCollapsing|Coalescing)?MergeTree|Memory|Null|Log|TinyLog|StripeLog|Set|Join|Buffer|Merge|GenerateRandom|Atomic)$/;

/** Things to create that hold no rows but reach out or are about users. */
const FOREIGN_THINGS = new Set(['dictionary', 'named', 'user', 'role', 'quota', 'profile', 'policy', 'resource', 'workload']);

/**
 * `INSERT ... FORMAT` at the beginning of a text that goes on with data, which may be anything; undefined for other statements.
 * `head` has a character for each byte (latin1), so that `dataAt` counts bytes. Throws a ClickHouse exception that says what is
 * wrong.
 */
export function parseInsertHead(head: string, mayWrite: boolean): InsertStatement | undefined {
  return asSyntaxError(() => {
    const first = firstWord(head);
    if (!isWord(first, 'insert')) return undefined;
    if (!mayWrite) throw notGranted('insert', mayWrite);
    return parseInsert(head);
  });
}

/** A whole statement. Throws a ClickHouse exception that says what is wrong. */
export function parseStatement(text: string, mayWrite: boolean): ReadStatement | WriteStatement {
  return asSyntaxError(() => {
    const first = firstWord(text);
    const verb = first?.text.toLowerCase() ?? '';
    if (first?.kind !== 'word' || !(WRITE_VERBS.has(verb) || OTHER_VERBS.has(verb))) return parseRead(text);
    if (!mayWrite || OTHER_VERBS.has(verb)) throw notGranted(verb, mayWrite);
    return parseWrite(text);
  });
}

function parseRead(text: string): ReadStatement {
  const tokens = withoutEnd(tokenize(text));
  let end = tokens.length;
  let format: string | undefined;
  const settings: [string, string][] = [];
  for (;;) {
    const name = tokens[end - 1];
    if (
      format === undefined &&
      end > 2 &&
      isWord(tokens[end - 2], 'format') &&
      name?.kind === 'word' &&
      !isSymbol(tokens[end - 3], '.')
    ) {
      format = name.text;
      end -= 2;
      continue;
    }
    const at = settingsAt(tokens.slice(0, end));
    if (at < 1) break;
    settings.unshift(...assignments(tokens.slice(at + 1, end))!);
    end = at;
  }
  const kept = tokens.slice(0, end);
  const refused = refusal(kept);
  if (refused) throw refusedAs(refused, text);
  if (verb(kept) === 'explain') checkExplained(kept);
  // The engine takes them in subqueries even where it is told to be read-only.
  const nested = kept.some((token, at) => isWord(token, 'settings') && isSymbol(kept[at + 2], '='));
  if (nested) throw exception('READONLY', 'Cannot modify settings in a subquery; put SETTINGS at the end of the statement.');
  return {
    kind: 'read',
    verb: verb(kept),
    sql: text.slice(kept[0]!.start, kept.at(-1)!.end),
    format,
    settings,
    placeholders: placeholders(kept),
  };
}

/** Undefined when the rows are part of the statement: VALUES, SELECT. */
function parseInsert(text: string): InsertStatement | undefined {
  const head: Token[] = [];
  for (const token of lex(text)) {
    const before = head.at(-1);
    if (isWord(before, 'format') && depth(head) === 0 && token.kind === 'word') {
      if (token.text.toLowerCase() === 'values') return undefined;
      const clause = head.slice(0, -1);
      const at = settingsAt(clause);
      const into = at < 0 ? clause : clause.slice(0, at);
      checkTarget(into);
      const settings = at < 0 ? [] : assignments(clause.slice(at + 1))!;
      const rest = /^[ \t]*;?[ \t]*(?:\r?\n)?/.exec(text.slice(token.end))![0].length;
      const target = Buffer.from(text.slice(into[0]!.start, into.at(-1)!.end), 'latin1').toString('utf8');
      return {
        kind: 'insert',
        into: target,
        format: token.text,
        settings,
        dataAt: token.end + rest,
        placeholders: placeholders(into),
      };
    }
    if (token.kind === 'word' && depth(head) === 0 && /^(?:values|select|with)$/i.test(token.text)) return undefined;
    head.push(token);
    if (isSymbol(token, ';')) break;
  }
  throw exception('SYNTAX_ERROR', 'Syntax error: INSERT needs FORMAT, VALUES or SELECT.');
}

function checkTarget(into: readonly Token[]): void {
  for (const [index, token] of into.entries()) {
    const next = into[index + 1];
    const called = outsideCall(token, next);
    if (called || isWord(token, 'function') || isWord(token, 'infile')) {
      throw exception(
        'ACCESS_DENIED',
        `Not enough privileges. ${called?.message ?? 'INSERT goes into tables of this store only'}.`,
      );
    }
  }
}

function parseWrite(text: string): WriteStatement {
  const tokens = withoutEnd(tokenize(text));
  for (const [index, token] of tokens.entries()) {
    const [before, next] = [tokens[index - 1], tokens[index + 1]];
    if (isSymbol(token, ';')) throw refusedAs({ kind: 'many', message: '', token }, text);
    const ofEngine = isWord(before, 'engine') || (isSymbol(before, '=') && isWord(tokens[index - 2], 'engine'));
    if (ofEngine && (token.kind === 'word' || token.kind === 'quoted')) {
      if (!LOCAL_ENGINES.test(token.text)) throw outside(`ENGINE ${token.text} keeps rows outside the store`);
      continue;
    }
    const called = outsideCall(token, next);
    if (called) throw outside(called.message);
    if (isWord(token, 'outfile') || isWord(token, 'infile')) throw outside(`${token.text} reads or writes files`);
    if (isWord(token, 'disk') && isSymbol(next, '(')) throw outside('disk() puts rows outside the store');
    if (isWord(tokens[0], 'create') && index < 5 && token.kind === 'word' && FOREIGN_THINGS.has(token.text.toLowerCase())) {
      throw outside(`CREATE ${token.text.toUpperCase()} is not granted`);
    }
  }
  return { kind: 'write', sql: text.slice(tokens[0]!.start, tokens.at(-1)!.end), placeholders: placeholders(tokens) };
}

/** Where the SETTINGS clause begins that reaches to the end; -1 when there is none. */
function settingsAt(tokens: readonly Token[]): number {
  let open = 0;
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    const token = tokens[at]!;
    if (isClosing(token)) open += 1;
    else if (isOpening(token)) open -= 1;
    if (open < 0) return -1;
    if (open === 0 && isWord(token, 'settings') && assignments(tokens.slice(at + 1))) return at;
  }
  return -1;
}

/** `a = 1, b = 'x'`; undefined when it is something else. */
function assignments(tokens: readonly Token[]): [string, string][] | undefined {
  const found: [string, string][] = [];
  let at = 0;
  for (;;) {
    const [name, equals] = [tokens[at], tokens[at + 1]];
    if (name?.kind !== 'word' || !isSymbol(equals, '=')) return undefined;
    const value = settingValue(tokens.slice(at + 2));
    if (value === undefined) return undefined;
    found.push([name.text, value.text]);
    at += 2 + value.length;
    if (at === tokens.length) return found;
    if (!isSymbol(tokens[at], ',')) return undefined;
    at += 1;
  }
}

/** A literal, or a map of literals as it is written, at the beginning; and how many tokens it has. */
function settingValue(tokens: readonly Token[]): { text: string; length: number } | undefined {
  if (isSymbol(tokens[0], '{')) {
    const end = tokens.findIndex((token) => isSymbol(token, '}'));
    const map = tokens.slice(0, end + 1);
    if (end < 0 || !map.every((token) => token.kind === 'string' || /^[{}:,]$/.test(token.text))) return undefined;
    return { text: map.map((token) => token.text).join(' '), length: map.length };
  }
  const negative = isSymbol(tokens[0], '-');
  const value = tokens[negative ? 1 : 0];
  if (value === undefined || value.kind === 'symbol' || value.kind === 'quoted') return undefined;
  const text = value.kind === 'string' ? unquoted(value.text) : value.text;
  return negative ? { text: `-${text}`, length: 2 } : { text, length: 1 };
}

/** The names in `{name:Type}`. */
function placeholders(tokens: readonly Token[]): string[] {
  const names = tokens.flatMap((token, index) => {
    const [name, colon] = [tokens[index + 1], tokens[index + 2]];
    const isOne = isSymbol(token, '{') && isSymbol(colon, ':') && (name?.kind === 'word' || name?.kind === 'quoted');
    return isOne ? [name.text] : [];
  });
  return [...new Set(names)];
}

/** Only what reads can be explained: EXPLAIN runs without the engine's own read-only mode. */
function checkExplained(tokens: readonly Token[]): void {
  for (const token of tokens) {
    if (isWord(token, 'select') || isWord(token, 'with')) return;
    const text = token.kind === 'word' ? token.text.toLowerCase() : '';
    if (WRITE_VERBS.has(text) || OTHER_VERBS.has(text)) throw notGranted(text, false);
  }
}

const verb = (tokens: readonly Token[]): string => tokens.find((token) => token.kind === 'word')!.text.toLowerCase();

function firstWord(text: string): Token | undefined {
  for (const token of lex(text)) if (!isSymbol(token, '(') && !isSymbol(token, ';')) return token;
  return undefined;
}

function refusedAs(refused: NonNullable<ReturnType<typeof refusal>>, text: string): Error {
  const { kind, message, token } = refused;
  if (kind === 'outside') return outside(message);
  if (kind === 'empty') return exception('SYNTAX_ERROR', 'Syntax error: failed at position 1 (end of query): Empty query.');
  const at = `failed at position ${(token?.start ?? 0) + 1} (${token?.text.slice(0, 40) ?? ''})`;
  if (kind === 'many')
    return exception(
      'SYNTAX_ERROR',
      `Syntax error (Multi-statements are not allowed): ${at}: ${text.slice(token?.start, (token?.start ?? 0) + 40)}.`,
    );
  return exception('SYNTAX_ERROR', `Syntax error: ${at}: ${message}.`);
}

const outside = (message: string): Error => exception('ACCESS_DENIED', `Not enough privileges. ${message}.`);

function notGranted(verb: string, mayWrite: boolean): Error {
  const what = verb.toUpperCase();
  return exception(
    'ACCESS_DENIED',
    mayWrite
      ? `Not enough privileges. ${what} is granted to nobody on this port.`
      : `Not enough privileges. ${what} needs user writer with the write token; everyone else may SELECT, WITH, SHOW, DESCRIBE, EXISTS and EXPLAIN.`,
  );
}

/** The lexer's complaints, as ClickHouse's. */
function asSyntaxError<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof MillraceError) throw exception('SYNTAX_ERROR', `Syntax error: ${error.message}.`);
    throw error;
  }
}

const isWord = (token: Token | undefined, text: string): boolean => token?.kind === 'word' && token.text.toLowerCase() === text;
const isOpening = (token: Token): boolean => isSymbol(token, '(') || isSymbol(token, '[') || isSymbol(token, '{');
const isClosing = (token: Token): boolean => isSymbol(token, ')') || isSymbol(token, ']') || isSymbol(token, '}');
const depth = (tokens: readonly Token[]): number =>
  tokens.reduce((open, token) => open + (isOpening(token) ? 1 : 0) - (isClosing(token) ? 1 : 0), 0);
