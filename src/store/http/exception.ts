import { MillraceError } from '../../errors.ts';

/** Exceptions that this port raises itself, with ClickHouse's numbers. */
const NUMBERS = {
  BAD_ARGUMENTS: 36,
  UNKNOWN_FUNCTION: 46,
  NOT_IMPLEMENTED: 48,
  SYNTAX_ERROR: 62,
  UNKNOWN_FORMAT: 73,
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  ABORTED: 236,
  TOO_MANY_BYTES: 307,
  ZLIB_INFLATE_FAILED: 354,
  QUERY_WAS_CANCELLED: 394,
  UNKNOWN_QUERY_PARAMETER: 456,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516,
  STD_EXCEPTION: 1001,
} as const;

/** Names of the exceptions that this port raises itself. */
export type ExceptionName = keyof typeof NUMBERS;

/** An exception as ClickHouse's clients know it: a number, its name, and a message. */
export class ClickHouseException extends Error {
  override readonly name = 'ClickHouseException';
  readonly code: number;
  readonly type: string;

  constructor(type: string, message: string, code?: number, options?: ErrorOptions) {
    super(message, options);
    this.type = type;
    this.code = code ?? NUMBERS[type as ExceptionName];
  }

  /** `Code: 62. DB::Exception: ... (SYNTAX_ERROR) (version ...)`, as servers print it. */
  text(version: string): string {
    return `Code: ${this.code}. DB::Exception: ${this.message} (${this.type}) (version ${version})`;
  }
}

/** An exception that this port raises itself. */
export const exception = (type: ExceptionName, message: string): ClickHouseException => new ClickHouseException(type, message);

/** What was thrown, as a ClickHouse exception: the engine's own number and name where there are some. */
export function asException(thrown: unknown): ClickHouseException {
  if (thrown instanceof ClickHouseException) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const number = /Code: (\d+)\. DB::/.exec(message);
  if (number) return fromEngine(message, Number(number[1]), thrown);
  if (thrown instanceof MillraceError) {
    if (thrown.code === 'cancelled') return new ClickHouseException('QUERY_WAS_CANCELLED', 'Query was cancelled.');
    if (thrown.code === 'failed_precondition') return new ClickHouseException('ABORTED', `${message}.`);
    if (thrown.code === 'invalid_argument') return new ClickHouseException('SYNTAX_ERROR', `Syntax error: ${message}.`);
  }
  return new ClickHouseException('STD_EXCEPTION', `std::exception: ${message}`, undefined, { cause: thrown });
}

/** An engine's message may hold the whole query; more of it than this helps nobody. */
const LONGEST_MESSAGE = 16 * 1024;
/** Exceptions in exceptions that are taken apart: a message of the query's own may pretend to be any number of them. */
const DEEPEST = 8;

/** Takes the engine's text apart; it wraps exceptions in exceptions of the same number. */
function fromEngine(text: string, code: number, cause: unknown): ClickHouseException {
  const from = text.indexOf('Code: ');
  const whole = text.length - from <= LONGEST_MESSAGE;
  let message = (whole ? text.slice(from) : `${text.slice(from, from + LONGEST_MESSAGE)} … ${text.slice(-1024)}`).trim();
  let type = '';
  for (let depth = 0, before = ''; depth < DEEPEST && before !== message; depth += 1) {
    before = message;
    message = message.replace(/^Code: \d+\. DB::[A-Za-z]*Exception: /, '');
    message = withoutTail(message, '(version ', /^\(version [^()]*(?:\([^()]*\))?\)\.?$/).rest;
    const named = withoutTail(message, '(', /^\(([A-Z][A-Z0-9_]{2,})\)\.?$/);
    message = named.rest;
    type ||= named.found?.[1] ?? '';
  }
  return new ClickHouseException(type || 'UNKNOWN_EXCEPTION', message, code, { cause });
}

/** A text without what begins with the last `start` in it, when all of that matches. */
function withoutTail(text: string, start: string, pattern: RegExp): { rest: string; found?: RegExpExecArray } {
  const at = text.lastIndexOf(start);
  const found = at < 0 ? null : pattern.exec(text.slice(at));
  return found ? { rest: text.slice(0, at).trimEnd(), found } : { rest: text };
}

/** The HTTP status of an exception, as servers choose it. */
export function statusOf(code: number): number {
  for (const [status, codes] of STATUS) if (codes.has(code)) return status;
  return 500;
}

const STATUS: readonly (readonly [number, ReadonlySet<number>])[] = [
  // What is wrong with the text of the query or its values.
  [
    400,
    new Set([
      6, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 69, 70, 72, 117, 130, 131, 167, 168, 317, 349, 376, 441, 456, 457, 467, 675, 676,
    ]),
  ],
  [401, new Set([194])],
  [403, new Set([192, 193, 497, 516])],
  // What the query names is not there: table, function, identifier, type, storage, database, setting, format ...
  [404, new Set([46, 47, 50, 56, 60, 63, 65, 73, 78, 81, 115, 336, 511])],
  [408, new Set([159])],
  [413, new Set([307])],
  [501, new Set([48])],
  [503, new Set([76, 202, 209, 236])],
];

/**
 * What is written into a body whose status was sent already: clients look for it behind the data, under the tag they were told
 * in a header (servers do so since 25.11).
 */
export function exceptionBlock(text: string, tag: string): string {
  return `\r\n__exception__\r\n${tag}\r\n${text}\n${Buffer.byteLength(text) + 1} ${tag}\r\n__exception__\r\n`;
}
