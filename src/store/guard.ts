import { MillraceError } from '../errors.ts';
import { tokenize } from './lexer.ts';
import type { Token } from './lexer.ts';

const READ_STATEMENTS = new Set(['select', 'with', 'show', 'describe', 'desc', 'exists', 'explain']);

/**
 * Functions that read or run something outside the store. Every table function the engine knows is either here or in
 * {@link SAFE_TABLE_FUNCTIONS}; a test holds that.
 */
const OUTSIDE = new RegExp(
  `^(?:${[
    'file|filesystem|catboostevaluate|executable|python|input|eval|fuzzquery|fuzzjson|dictionary|viewifpermitted|viewexplain',
    'url|s3|gcs|oss|cosn|hdfs|azure.*|iceberg.*|deltalake.*|hudi.*|paimon.*|ytsaurus|arrow(?:stream|flight).*',
    'remote|remotesecure|cluster|clusterallreplicas|.*cluster|loop',
    'mysql|postgresql|mongodb|redis|sqlite|odbc|jdbc|nats|kafka|rabbitmq',
    'prometheusquery|prometheusqueryrange|timeseries(?:selector|metrics|tags|samples|data)|mergetree.*',
    // Plain functions: language models over the network, one that may name a host, and what shows this process's code.
    'ai(?:classify|embed|extract|generate|translate).*|hascolumnintable|addressto.*',
  ].join('|')})$`,
);

/** Table functions that read only what the query itself or the store holds. */
export const SAFE_TABLE_FUNCTIONS: readonly string[] = [
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'primes',
  'generateSeries',
  'generate_series',
  'generateRandom',
  'values',
  'SQLStandardValues',
  'null',
  'format',
  'view',
  'merge',
];

/** Whether a function of this name is refused in queries. Case does not matter. */
export const isOutsideFunction = (name: string): boolean => OUTSIDE.test(name.toLowerCase());

/** With what no statement ends. */
const UNFINISHED = new Set(
  'select with from join using on where prewhere by having and or not in like as union = < > + - / % . ( [ {'.split(' '),
);

/** Why a statement is not let through. */
export interface Refusal {
  /** `empty`: nothing there; `verb`: no reading statement; `many`: more than one; `outside`: reaches out of the store; `clause`: INTO or FORMAT. */
  kind: 'empty' | 'verb' | 'many' | 'outside' | 'clause';
  message: string;
  /** What it is about. */
  token?: Token;
}

/** What is wrong with a statement (without semicolons at its end) that should only read the store. */
export function refusal(tokens: readonly Token[]): Refusal | undefined {
  const first = tokens.find((token) => !isSymbol(token, '('));
  if (first === undefined) return { kind: 'empty', message: 'the statement is empty; write a SELECT' };
  if (first.kind !== 'word' || !READ_STATEMENTS.has(first.text.toLowerCase())) {
    const message = `${first.text.slice(0, 40)} is not allowed; only SELECT, WITH, SHOW, DESCRIBE, EXISTS and EXPLAIN are`;
    return { kind: 'verb', message, token: first };
  }
  for (const [index, token] of tokens.entries()) {
    const found = outsideCall(token, tokens[index + 1]) ?? wrongClause(token, tokens[index + 1]);
    if (found) return found;
  }
  const last = tokens.at(-1)!;
  // What is put behind it would be taken for what is missing.
  if (UNFINISHED.has(last.text.toLowerCase()) && (last.kind === 'word' || last.kind === 'symbol')) {
    return { kind: 'clause', message: `the statement ends after ${last.text}; something is missing`, token: last };
  }
  return undefined;
}

/**
 * Checks that `sql` is one statement that only reads the store, and returns it without trailing semicolons and comments.
 * Throws `invalid_argument` saying what is not allowed.
 */
export function guardQuery(sql: string): string {
  const tokens = withoutEnd(tokenize(sql));
  const refused = refusal(tokens);
  if (refused) throw new MillraceError('invalid_argument', `query refused: ${refused.message}`, { field: 'sql' });
  return sql.slice(tokens[0]!.start, tokens.at(-1)!.end);
}

/** The tokens without semicolons at the end. */
export function withoutEnd(tokens: readonly Token[]): Token[] {
  const end = tokens.findLastIndex((token) => !isSymbol(token, ';'));
  return tokens.slice(0, end + 1);
}

/** The refusal when `token` calls a function that reaches outside the store. */
export function outsideCall(token: Token, next: Token | undefined): Refusal | undefined {
  const named = token.kind === 'word' || token.kind === 'quoted';
  if (!named || !isSymbol(next, '(') || !isOutsideFunction(token.text)) return undefined;
  return { kind: 'outside', message: `${token.text}() reads or runs things outside the store`, token };
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

/** Whether a token is this symbol. */
export const isSymbol = (token: Token | undefined, text: string): boolean => token?.kind === 'symbol' && token.text === text;
