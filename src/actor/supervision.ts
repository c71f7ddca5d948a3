import { MillraceError, type ErrorCode } from '../errors.ts';
import type { Random } from '../random/random.ts';

/**
 * What happens when an actor throws. A permanent error ({@link isPermanent}) ends the actor at once: a restart would meet it again.
 * After any other it is restarted, with growing pauses.
 */
export interface Supervision {
  /** Wait before the first restart, in milliseconds; doubles with each further one. Default 100. */
  minBackoffMs?: number;
  /** Longest wait. Default 10_000. */
  maxBackoffMs?: number;
  /** Share of the wait that is added at random, so that actors that fell together do not come back together. Default 0.2. */
  jitter?: number;
  /** Restarts without `windowMs` of peace in between after which the supervisor gives up. 0 = give up at once. Default 10. */
  maxRestarts?: number;
  /** Default 60_000. After this long without a failure the count and the wait begin anew. */
  windowMs?: number;
  /**
   * Fate of the message whose handling threw. `drop` (default): handled at most once; it is reported and gone. `retry`: it
   * is handled again, first, after the restart, so its effects must be idempotent; it counts against `maxRestarts` each time.
   */
  failedMessage?: 'drop' | 'retry';
}

/** Codes of errors that say how the world is rather than what happened just now. */
const PERMANENT: ReadonlySet<ErrorCode> = new Set([
  'invalid_argument',
  'not_found',
  'already_exists',
  'failed_precondition',
  'permission_denied',
  'unauthenticated',
  'unimplemented',
  'data_loss',
]);

/**
 * Whether a restart would meet the error again: a MillraceError with such a code that is not marked as retryable. Anything else that
 * was thrown may be a defect of the moment, and is tried again a few times.
 */
export function isPermanent(thrown: unknown): boolean {
  return thrown instanceof MillraceError && !thrown.retryable && PERMANENT.has(thrown.code);
}

/** Counts failures and says how long to wait before the next start. */
export class RestartBudget {
  readonly #options: Required<Omit<Supervision, 'failedMessage'>>;
  readonly #random: Random;
  /** Failures without a window of peace in between. */
  #failures = 0;
  #lastAt = -Infinity;

  constructor(options: Supervision, random: Random) {
    const { minBackoffMs = 100, maxBackoffMs = 10_000, jitter = 0.2, maxRestarts = 10, windowMs = 60_000 } = options;
    this.#options = { minBackoffMs, maxBackoffMs, jitter, maxRestarts, windowMs };
    this.#random = random;
  }

  /** Notes a failure at `now`. Milliseconds to wait, or undefined to give up. */
  next(now: number): number | undefined {
    const { minBackoffMs, maxBackoffMs, jitter, maxRestarts, windowMs } = this.#options;
    if (now - this.#lastAt >= windowMs) this.#failures = 0;
    this.#lastAt = now;
    if (this.#failures >= maxRestarts) return undefined;
    const wait = minBackoffMs * 2 ** this.#failures * (1 + jitter * this.#random.uniform());
    this.#failures += 1;
    return Math.min(maxBackoffMs, wait);
  }
}
