/** How many calls one peer may make. */
export interface RateLimit {
  /** Calls per second in the long run. Default 1000. */
  perSecond: number;
  /** Calls at once after a pause. Default 2000. */
  burst: number;
}

/** Generous: a person or a script never meets it, a loop gone wild does. */
export const DEFAULT_RATE_LIMIT: RateLimit = { perSecond: 1000, burst: 2000 };

/** Peers remembered; beyond it those that have not called for longest are forgotten. */
const MOST_PEERS = 10_000;

/** One token bucket per peer. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  /** In the order of their last call. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** `now`: monotonic milliseconds. */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** Takes one token; returns 0, or how many milliseconds to wait when there is none. */
  take(peer: string): number {
    const { perSecond, burst } = this.#limit;
    const now = this.#now();
    const bucket = this.#buckets.get(peer) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) / 1000) * perSecond);
    const allowed = tokens >= 1;
    this.#buckets.delete(peer);
    this.#buckets.set(peer, { tokens: allowed ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > MOST_PEERS) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return allowed ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1000);
  }
}
