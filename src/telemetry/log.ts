import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { MillraceError } from '../errors.ts';
import { logFile } from './log-file.ts';
import type { LogLevel } from './log-levels.ts';

export type { Logger } from 'pino';

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** The program, e.g. `millrace`. */
  readonly name: string;
  /** Node id. */
  readonly node?: string;
  /** The role, or roles joined by `+`, that the process hosts. */
  readonly role?: string;
  /** Default: info. */
  readonly level?: LogLevel;
  /** File that lines are appended to, made for this account only; its folder is made. Or an open descriptor. Default: standard error. */
  readonly file?: string | number;
  /** Where lines go instead of a file; for tests. */
  readonly stream?: DestinationStream;
}

/** Fields that hold secrets, wherever they stand one level deep. */
const SECRETS = ['token', 'authorization', 'password', 'apiKey', 'secret', 'cookie'];

/** Descriptor of standard error. */
const STDERR = 2;

/** What takes the place of a secret. */
const HIDDEN = '[hidden]';

/**
 * A logger that writes one JSON object a line: `time` (ISO 8601), `level` (by name), `name`, `node`, `role`, `msg`, and
 * `err` with code, retryability and causes. Lines are written at once, so the last ones before a crash are there. Where they cannot
 * be written nothing is thrown ({@link logFile}).
 */
export function createLogger(options: LoggerOptions): Logger {
  const { name, node, role, level = 'info' } = options;
  return pino(
    {
      name,
      level,
      base: { pid: process.pid, ...(node === undefined ? {} : { node }), ...(role === undefined ? {} : { role }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError, error: serializeError },
      redact: { paths: SECRETS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: HIDDEN },
    },
    options.stream ?? logFile(options.file ?? STDERR),
  );
}

/** A logger that writes nothing. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}

/** An error as an object: type, message, stack and, for ours, code, retryable and field; causes nested. Tokens are hidden. */
function serializeError(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { type, message, stack } = stdSerializers.errWithCause(thrown);
  const own =
    thrown instanceof MillraceError ? { code: thrown.code, retryable: thrown.retryable, field: thrown.field } : codeOf(thrown);
  return {
    type,
    message: hideTokens(message),
    ...own,
    stack: stack === undefined ? undefined : hideTokens(stack),
    ...(thrown.cause === undefined ? {} : { cause: serializeError(thrown.cause) }),
  };
}

function codeOf(error: Error): { code?: unknown } {
  const { code } = error as Error & { code?: unknown };
  return typeof code === 'string' || typeof code === 'number' ? { code } : {};
}

/** Hides bearer tokens and passwords in addresses. */
function hideTokens(text: string): string {
  return text.replace(/\b(Bearer\s+)[\w.~+/=-]+/gi, `$1${HIDDEN}`).replace(/(\w+:\/\/)[^\s/@]+@/g, `$1${HIDDEN}@`);
}
