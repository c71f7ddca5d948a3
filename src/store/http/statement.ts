import { MillraceError } from '../../errors.ts';
import { allSettings, UNREADABLE } from '../sql/assignments.ts';
import { beginsSettings, isClosing, isOpening, isSymbol, isWord, rebased, refusal, withoutEnd } from '../sql/guard.ts';
import type { Refusal } from '../sql/guard.ts';
import { lex, sqlTokens } from '../sql/lexer.ts';
import type { Token } from '../sql/lexer.ts';
import { placeholdersOf } from '../sql/placeholders.ts';
import { clausesOf, settingsBefore } from './clauses.ts';
import { exception } from './exception.ts';

/** What every statement has: its text, and the tokens of it. */
interface Text {
  sql: string;
  tokens: readonly Token[];
  settings: [string, string][];
  placeholders: readonly string[];
}

/** A statement that reads, with the clauses at its end taken off. */
export interface ReadStatement extends Text {
  kind: 'read';
  /** Its first word, in lower case. */
  verb: string;
  format: string | undefined;
}

/** `INSERT ... FORMAT`: the rows are data behind it. */
export interface InsertStatement extends Text {
  kind: 'insert';
  format: string;
  /** Where the data begins in the text. */
  dataAt: number;
}

/** Any other statement that changes something. Its settings stay in it. */
export interface WriteStatement extends Text {
  kind: 'write';
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
  'set use system kill grant revoke attach detach backup restore undrop move check watch begin commit rollback replace execute'.split(
    ' ',
  ),
);

/** The first word of a statement when it is one that changes something, whether or not that is granted to anybody. */
export function changingVerb(text: string): string | undefined {
  try {
    const first = firstWord(text);
    const verb = first?.kind === 'word' ? first.text.toLowerCase() : '';
    return WRITE_VERBS.has(verb) || OTHER_VERBS.has(verb) ? verb : undefined;
  } catch {
    return undefined;
  }
}

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

/** A whole statement. Throws a ClickHouse exception that says what is wrong with its form. */
export function parseStatement(text: string, mayWrite: boolean): ReadStatement | WriteStatement {
  return asSyntaxError(() => {
    const verb = changingVerb(text);
    if (verb === undefined) return parseRead(text);
    if (!mayWrite || OTHER_VERBS.has(verb)) throw notGranted(verb, mayWrite);
    return parseWrite(text);
  });
}

function parseRead(text: string): ReadStatement {
  const tokens = withoutEnd(sqlTokens(text));
  const { end, format, settings } = clausesOf(tokens);
  const kept = tokens.slice(0, end);
  // The engine takes them in subqueries even where it is told to be read-only.
  const nested = kept.some((token, at) => isWord(token, 'settings') && beginsSettings(kept, at + 1));
  if (nested) throw exception('READONLY', 'Cannot modify settings in a subquery; put SETTINGS at the end of the statement.');
  const refused = refusal(kept);
  if (refused) throw refusedAs(refused, text);
  const verb = kept.find((token) => token.kind === 'word')!.text.toLowerCase();
  if (verb === 'explain') checkExplained(kept);
  return { kind: 'read', verb, format, settings, ...textOf(text, kept) };
}

const textOf = (text: string, tokens: readonly Token[]): Omit<Text, 'settings'> => ({
  sql: text.slice(tokens[0]!.start, tokens.at(-1)!.end),
  tokens: rebased(tokens),
  placeholders: placeholdersOf(tokens).map(({ name }) => name),
});

/** Undefined when the rows are part of the statement: VALUES, SELECT. */
function parseInsert(text: string): InsertStatement | undefined {
  const head: Token[] = [];
  let depth = 0;
  for (const token of lex(text)) {
    if (isOpening(token)) depth += 1;
    else if (isClosing(token)) depth -= 1;
    if (isWord(head.at(-1), 'format') && depth === 0 && token.kind === 'word') {
      if (token.text.toLowerCase() === 'values') return undefined;
      const clause = settingsBefore(head, head.length - 1);
      const into = head.slice(0, clause?.at ?? -1);
      const rest = /^[ \t]*;?[ \t]*(?:\r?\n)?/.exec(text.slice(token.end, token.end + 1024))![0].length;
      // The names in it are UTF-8 again.
      const sql = Buffer.from(text.slice(into[0]!.start, into.at(-1)!.end), 'latin1').toString('utf8');
      const { tokens, placeholders } = textOf(sql, sqlTokens(sql));
      const settings = clause?.settings ?? [];
      return { kind: 'insert', sql, tokens, placeholders, format: token.text, settings, dataAt: token.end + rest };
    }
    if (token.kind === 'word' && depth === 0 && /^(?:values|select|with)$/i.test(token.text)) return undefined;
    head.push(token);
    if (isSymbol(token, ';')) break;
  }
  throw exception('SYNTAX_ERROR', 'Syntax error: INSERT needs FORMAT, VALUES or SELECT.');
}

function parseWrite(text: string): WriteStatement {
  const tokens = withoutEnd(sqlTokens(text));
  const second = tokens.find((token) => isSymbol(token, ';'));
  if (second) throw refusedAs({ kind: 'many', message: '', token: second }, text);
  const settings = allSettings(tokens);
  if (settings === UNREADABLE) throw outside('SETTINGS take literals only; disk() and the like put rows outside the store');
  return { kind: 'write', settings, ...textOf(text, tokens) };
}

/** Only what reads can be explained: EXPLAIN runs without the engine's own read-only mode. */
function checkExplained(tokens: readonly Token[]): void {
  for (const token of tokens) {
    if (isWord(token, 'select') || isWord(token, 'with')) return;
    const text = token.kind === 'word' ? token.text.toLowerCase() : '';
    if (WRITE_VERBS.has(text) || OTHER_VERBS.has(text)) throw notGranted(text, false);
  }
}

function firstWord(text: string): Token | undefined {
  for (const token of lex(text)) if (!isSymbol(token, '(') && !isSymbol(token, ';')) return token;
  return undefined;
}

/** A refusal as ClickHouse would say it. */
export function refusedAs({ kind, message, token }: Refusal, text: string): Error {
  if (kind === 'outside') return outside(message);
  if (kind === 'unknown') return exception('UNKNOWN_FUNCTION', `${message}.`);
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
