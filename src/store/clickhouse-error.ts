import { MillraceError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

const READONLY = 164;

/** ClickHouse error numbers that need more than "the statement is wrong". */
const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [76, 'failed_precondition'], // CANNOT_OPEN_FILE: the data directory is locked
  [158, 'resource_exhausted'], // TOO_MANY_ROWS
  [159, 'deadline_exceeded'], // TIMEOUT_EXCEEDED
  [160, 'deadline_exceeded'], // TOO_SLOW
  [202, 'unavailable'], // TOO_MANY_SIMULTANEOUS_QUERIES
  [203, 'unavailable'], // NO_FREE_CONNECTION
  [209, 'unavailable'], // SOCKET_TIMEOUT
  [210, 'unavailable'], // NETWORK_ERROR
  [236, 'unavailable'], // ABORTED: shutting down
  [241, 'resource_exhausted'], // MEMORY_LIMIT_EXCEEDED
  [242, 'unavailable'], // TABLE_IS_READ_ONLY
  [252, 'unavailable'], // TOO_MANY_PARTS: merges must catch up
  [307, 'resource_exhausted'], // TOO_MANY_BYTES
  [319, 'unavailable'], // UNKNOWN_STATUS_OF_INSERT
  [394, 'cancelled'], // QUERY_WAS_CANCELLED
  [396, 'resource_exhausted'], // TOO_MANY_ROWS_OR_BYTES
  [497, 'permission_denied'], // ACCESS_DENIED
  [516, 'unauthenticated'], // AUTHENTICATION_FAILED
  [999, 'unavailable'], // KEEPER_EXCEPTION
]);

/**
 * What says that the rows themselves are wrong: they do not parse, or do not fit the columns. Only these condemn a message;
 * whatever else happens to an insert is the store's trouble and the rows are kept.
 */
const BAD_ROWS = new Set([
  6, 7, 20, 25, 26, 27, 28, 32, 33, 36, 38, 39, 40, 41, 42, 43, 53, 69, 70, 72, 108, 117, 130, 131, 190, 321, 349, 354, 375, 376,
  441, 467, 469, 691,
]);

/** How the kernel says it. */
const NO_SPACE = /ENOSPC|No space left on device/;
/** Numbers with which the engine passes on what the kernel said; the text of others may hold what people wrote. */
const OF_FILES: ReadonlySet<number> = new Set([74, 75, 76, 77, 425, 481, 1001]);

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|EPROTO|ERR_SSL|certificate/;

const NETWORK = /ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|socket hang up|Timeout error/i;

/** What was being done: the same ClickHouse error means different things in a query and in an insert. */
export type Operation = 'query' | 'insert' | 'migrate';

/** Turns what the client or the engine threw into a MillraceError with ClickHouse's own text. */
export function clickHouseError(thrown: unknown, operation: Operation): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const number = errorNumber(error);
  if (number === undefined) {
    if (error.name === 'AbortError' || /\babort/i.test(error.message)) {
      return new MillraceError('cancelled', `${operation} cancelled`, { cause: error });
    }
    if (/\b413\b|Request Entity Too Large/i.test(error.message)) {
      return new MillraceError('resource_exhausted', `ClickHouse: ${error.message}`, { cause: error });
    }
    if (NO_SPACE.test(error.message)) return diskFull(error);
    const said = `${(error as { code?: string }).code ?? ''} ${error.message}`;
    if (CERTIFICATE.test(said)) {
      const advice = 'name the file of its authority in CLICKHOUSE_CA_FILE, and check http and https in the URL';
      return new MillraceError('failed_precondition', `ClickHouse over TLS: ${error.message}; ${advice}`, { cause: error });
    }
    const network = NETWORK.test(said);
    if (network) {
      const advice = 'check that the server runs and that the URL is right';
      return new MillraceError('unavailable', `ClickHouse does not answer (${error.message}); ${advice}`, { cause: error });
    }
    return new MillraceError('internal', `ClickHouse: ${error.message}`, { cause: error });
  }
  if (number === 243 || (OF_FILES.has(number) && NO_SPACE.test(error.message))) return diskFull(error);
  const wrongStatement = operation === 'query' || (operation === 'insert' && BAD_ROWS.has(number));
  const code = BY_NUMBER.get(number) ?? (wrongStatement ? 'invalid_argument' : 'failed_precondition');
  const hint = number === READONLY && operation === 'query' ? '; queries run read-only, leave SETTINGS out' : '';
  return new MillraceError(code, `ClickHouse: ${tidy(error.message)} (code ${number})${hint}`, {
    cause: error,
    ...(operation === 'query' ? { field: 'sql' } : {}),
  });
}

/** Rows are kept and the insert is repeated: only room on the disk helps. */
function diskFull(error: Error): MillraceError {
  return new MillraceError('unavailable', `the disk of the store is full (${tidy(error.message)}); free some room`, {
    cause: error,
  });
}

function errorNumber(error: Error): number | undefined {
  // ClickHouseError has its number as text; a DOMException has one of its own.
  const own = (error as { code?: unknown }).code;
  if (typeof own === 'string' && /^\d+$/.test(own)) return Number(own);
  const inText = /Code: (\d+)/.exec(error.message);
  return inText ? Number(inText[1]) : undefined;
}

/** More of a message than this is not even looked at: it may hold the whole query, or a text of the query's choice. */
const LONGEST_MESSAGE = 4 * 1024;

/** One line without the engine's own prefixes, long "Expected one of" lists and dumps of rows cut. */
function tidy(whole: string): string {
  const message = whole.length > LONGEST_MESSAGE ? `${whole.slice(0, LONGEST_MESSAGE)}…` : whole;
  const dump = message.search(/\n[ \t]*Row \d+:/);
  const line = (dump < 0 ? message : message.slice(0, dump).trimEnd().replace(/:$/, ''))
    .replace(/\s+/g, ' ')
    .replace(/^(?:.{0,40}?Code: \d+\. DB::Exception: ){1,8}/, '')
    .replace(/\(version [^)]*\)/g, '')
    .replace(/ +/g, ' ')
    .trim()
    .replace(/\.$/, '')
    .trim();
  return line.length > 600 ? `${line.slice(0, 599)}…` : line;
}
