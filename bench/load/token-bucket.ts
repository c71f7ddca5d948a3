/** Options of {@link TokenBucket}. */
export interface TokenBucketOptions {
  /** Tokens that flow in each second; Infinity: no limit. */
  ratePerSecond: number;
  /** Tokens that are there at the start, on top of those that flow in. Default 0. */
  burst?: number;
  /** When tokens begin to flow, in ms of the caller's clock. */
  startMs: number;
}

/**
 * Says when each thing of a series is due, by the schedule alone: what the caller was late with is due in the past, and is to be
 * sent at once. A latency counted from that time includes the wait of what could not be sent because something before it was
 * slow; one counted from the sending leaves it out ("coordinated omission").
 */
export class TokenBucket {
  readonly #options: Required<TokenBucketOptions>;
  #spent = 0;

  constructor(options: TokenBucketOptions) {
    this.#options = { burst: 0, ...options };
  }

  /** Takes `cost` tokens; returns the time at which they are there, in ms. */
  take(cost: number): number {
    const { ratePerSecond, burst, startMs } = this.#options;
    this.#spent += cost;
    const missing = Math.max(0, this.#spent - cost - burst);
    return ratePerSecond === Infinity ? startMs : startMs + (1000 * missing) / ratePerSecond;
  }
}
