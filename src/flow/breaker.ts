import type { Random } from '../random/random.ts';
import type { Retry } from './retry-later.ts';

/** First wait of a back-off. */
export const MIN_BACKOFF_MS = 1_000;
/** Longest wait of a back-off; one that was asked for may be longer. */
export const MAX_BACKOFF_MS = 300_000;
/** Share of a wait that is added at random, so that many who wait for one service do not come back together. */
const JITTER = 0.2;

/** What an open breaker waits for. Times are milliseconds on the clock that the breaker is told. */
export interface Hold {
  source: string;
  reason: string;
  /** When it began. */
  since: number;
  /** When the next try may be made. */
  until: number;
  /** Tries in a row that were refused. */
  attempts: number;
}

/**
 * A circuit breaker: after a refusal nothing is tried until the wait has passed, then one try at a time. The wait is the one that was
 * asked for, or an exponential back-off (1 s, doubling to 5 minutes) when that is longer; up to a fifth is added at random. Pure: it is
 * told the time.
 */
export class Breaker {
  readonly #random: Random;
  #hold: Hold | undefined;
  /** The hold before this one, as long as another refusal counts as a continuation of it. */
  #before: { attempts: number; endsAt: number } | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Undefined while closed. */
  get hold(): Readonly<Hold> | undefined {
    return this.#hold;
  }

  /** Notes a refusal. Those of calls that were made before the wait began lengthen it, but do not count as a further try. */
  trip({ afterMs, reason, source }: Retry, now: number): void {
    const wait = (ms: number): number => now + ms * (1 + JITTER * this.#random.uniform());
    const hold = this.#hold;
    if (hold !== undefined && now < hold.until) {
      this.#hold = { ...hold, reason, source, until: Math.max(hold.until, afterMs > 0 ? wait(afterMs) : 0) };
      return;
    }
    const continued = this.#before !== undefined && now < this.#before.endsAt ? this.#before.attempts : 0;
    const attempts = (hold?.attempts ?? continued) + 1;
    const backoff = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(attempts - 1, 20));
    this.#hold = { source, reason, since: hold?.since ?? now, until: wait(Math.max(afterMs, backoff)), attempts };
  }

  /** The wait is over and the service has answered the very call that was refused: the next refusal begins anew. */
  succeed(): void {
    this.#hold = undefined;
    this.#before = undefined;
  }

  /** The wait is over, but nobody knows whether the service was asked: a refusal soon after continues the back-off. */
  close(now: number): void {
    if (this.#hold === undefined) return;
    const { attempts, since } = this.#hold;
    this.#before = { attempts, endsAt: now + Math.max(2 * MIN_BACKOFF_MS, Math.min(now - since, MAX_BACKOFF_MS)) };
    this.#hold = undefined;
  }
}
