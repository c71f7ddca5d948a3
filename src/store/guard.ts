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

/**
 * Checks that `sql` is one statement that only reads the store, and returns it without trailing semicolons and comments.
 * Throws `invalid_argument` saying what is not allowed.
 */
export function guardQuery(sql: string): string {
  const tokens = tokenize(sql);
  while (isSymbol(tokens.at(-1), ';')) tokens.pop();
  const first = tokens.find((token) => !isSymbol(token, '('));
  if (first === undefined) throw refuse('the statement is empty; write a SELECT');
  if (first.kind !== 'word' || !READ_STATEMENTS.has(first.text.toLowerCase())) {
    throw refuse(`${first.text.slice(0, 40)} is not allowed; only SELECT, WITH, SHOW, DESCRIBE, EXISTS and EXPLAIN are`);
  }
  tokens.forEach((token, index) => checkToken(token, tokens[index + 1]));
  return sql.slice(tokens[0]!.start, tokens.at(-1)!.end);
}

function checkToken(token: Token, next: Token | undefined): void {
  if (isSymbol(token, ';')) throw refuse('only one statement at a time; leave out what follows the ";"');
  const called = isSymbol(next, '(');
  if ((token.kind === 'word' || token.kind === 'quoted') && called && isOutsideFunction(token.text)) {
    throw refuse(`${token.text}() reads or runs things outside the store`);
  }
  if (token.kind !== 'word') return;
  const word = token.text.toLowerCase();
  if (word === 'into') throw refuse('INTO is not allowed: a query writes nothing, no file either');
  if (word === 'format' && !called) {
    throw refuse('leave FORMAT out: the result comes as typed rows (a column of that name goes in backticks)');
  }
}

const isSymbol = (token: Token | undefined, text: string): boolean => token?.kind === 'symbol' && token.text === text;

function refuse(why: string): MillraceError {
  return new MillraceError('invalid_argument', `query refused: ${why}`, { field: 'sql' });
}
