/**
 * The one error class of Millrace.
 *
 * `code` says what kind of problem it is and decides how it is mapped to gRPC and to exit codes; `retryable` says whether
 * the same call may succeed later without anyone changing anything.
 */

/** Kinds of errors; the same words as gRPC status codes where one fits. */
export const ERROR_CODES = [
  'invalid_argument',
  'not_found',
  'already_exists',
  'failed_precondition',
  'permission_denied',
  'unauthenticated',
  'resource_exhausted',
  'aborted',
  'cancelled',
  'deadline_exceeded',
  'unavailable',
  'unimplemented',
  'data_loss',
  'internal',
] as const;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

const RETRYABLE_BY_DEFAULT: ReadonlySet<ErrorCode> = new Set([
  'resource_exhausted',
  'aborted',
  'deadline_exceeded',
  'unavailable',
]);

/** Options of {@link MillraceError}. */
export interface MillraceErrorOptions {
  /** The error underneath, if any. */
  cause?: unknown;
  /** Whether the same call may succeed later. Default: true for resource_exhausted, aborted, deadline_exceeded, unavailable. */
  retryable?: boolean;
  /** Where in the input the problem is, e.g. `rollout.groupSize`. */
  field?: string;
  /** What went wrong, for programs, in UPPER_SNAKE_CASE, e.g. `BUDGET_EXHAUSTED`. Default: the code. */
  reason?: string;
}

/** What went wrong, where, and what to do about it (in the message). */
export class MillraceError extends Error {
  override readonly name = 'MillraceError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly field: string | undefined;
  readonly reason: string;

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? RETRYABLE_BY_DEFAULT.has(code);
    this.field = options.field;
    this.reason = options.reason ?? code.toUpperCase();
  }

  /** Wraps anything that was thrown; a MillraceError is returned as it is, an abort becomes `cancelled`. */
  static from(thrown: unknown, code: ErrorCode = 'internal'): MillraceError {
    if (thrown instanceof MillraceError) return thrown;
    if (thrown instanceof Error) {
      if (thrown.name === 'AbortError') return new MillraceError('cancelled', thrown.message, { cause: thrown });
      if (thrown.name === 'TimeoutError') return new MillraceError('deadline_exceeded', thrown.message, { cause: thrown });
      return new MillraceError(code, thrown.message, { cause: thrown });
    }
    return new MillraceError(code, String(thrown), { cause: thrown });
  }
}
