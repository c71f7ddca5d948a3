import type { Random } from '../random/random.ts';

/** What happens when an actor throws. */
export interface Supervision {
  /** Wait before the first restart, in milliseconds; doubles with each further one. Default 100. */
  minBackoffMs?: number;
  /** Longest wait. Default 10_000. */
  maxBackoffMs?: number;
  /** Share of the wait that is added at random, so that actors that fell together do not come back together. Default 0.2. */
  jitter?: number;
  /** Restarts within `windowMs` after which the supervisor gives up. 0 = give up at once. Default 10. */
  maxRestarts?: number;
  /** Default 60_000. After this long without a failure the wait starts from `minBackoffMs` again. */
  windowMs?: number;
  /**
   * Fate of the message whose handling threw. `drop` (default): handled at most once; it is reported and gone. `retry`: it
   * is handled again, first, after the restart, so its effects must be idempotent; it counts against `maxRestarts` each time.
   */
  failedMessage?: 'drop' | 'retry';
}

/** Counts failures and says how long to wait before the next start. */
export class RestartBudget {
  readonly #options: Required<Omit<Supervision, 'failedMessage'>>;
  readonly #random: Random;
  /** Times of the failures within the window. */
  #failures: number[] = [];

  constructor(options: Supervision, random: Random) {
    const { minBackoffMs = 100, maxBackoffMs = 10_000, jitter = 0.2, maxRestarts = 10, windowMs = 60_000 } = options;
    this.#options = { minBackoffMs, maxBackoffMs, jitter, maxRestarts, windowMs };
    this.#random = random;
  }

  /** Notes a failure at `now`. Milliseconds to wait, or undefined to give up. */
  next(now: number): number | undefined {
    const { minBackoffMs, maxBackoffMs, jitter, maxRestarts, windowMs } = this.#options;
    this.#failures = this.#failures.filter((at) => at > now - windowMs);
    if (this.#failures.length >= maxRestarts) return undefined;
    const wait = minBackoffMs * 2 ** this.#failures.length * (1 + jitter * this.#random.uniform());
    this.#failures.push(now);
    return Math.min(maxBackoffMs, wait);
  }
}
