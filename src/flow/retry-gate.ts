import type { Clock } from '../clock/clock.ts';
import type { Random } from '../random/random.ts';
import { Breaker, type Hold } from './breaker.ts';
import { HandBack, isRetryLater, retryOf, type Retrier, type Retry } from './retry-later.ts';

/** After something was handed back, nothing new is begun for this long: whoever holds the job's admission hears of it meanwhile. */
const QUIET_MS = 5_000;

/** Options of {@link RetryGate}. */
export interface RetryGateOptions {
  clock: Clock;
  random: Random;
  /** Longest time that a call waits here, in ms; one that would have to wait longer is handed back. Infinity: never. */
  patienceMs: number;
  /** Called when the gate opens or closes, and when the number of calls that wait changes. */
  onChange?: (() => void) | undefined;
}

/**
 * Where the calls of one job in this process wait that asked for another try. When the wait is over one of them is made, alone; once it
 * is answered the others follow.
 */
export class RetryGate implements Retrier {
  readonly #options: RetryGateOptions;
  readonly #breaker: Breaker;
  #flushing = new AbortController();
  #closed = false;
  #waiting = 0;
  /** A try is being made: the others wait for what comes of it. */
  #trying: Promise<void> | undefined;
  #quietUntil = -Infinity;

  constructor(options: RetryGateOptions) {
    this.#options = options;
    this.#breaker = new Breaker(options.random);
  }

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** What they wait for; times are those of `clock.monotonic()`. */
  get hold(): Readonly<Hold> | undefined {
    return this.#breaker.hold;
  }

  /** Calls wait here, or were handed back a moment ago: nothing new should be begun. */
  get isOpen(): boolean {
    return this.#waiting > 0 || this.#options.clock.monotonic() < this.#quietUntil;
  }

  /** Somebody else was handed back: nothing new should be begun for a moment. */
  handedBack(): void {
    this.#quietUntil = this.#options.clock.monotonic() + QUIET_MS;
  }

  /** All that wait now are handed back. */
  flush(): void {
    this.#flushing.abort();
    this.#flushing = new AbortController();
  }

  /** All that wait now are handed back, and so is whatever asks later. */
  close(): void {
    this.#closed = true;
    this.flush();
  }

  async again<R>(first: Retry, call: () => R | Promise<R>, signal?: AbortSignal): Promise<R> {
    const { clock, onChange } = this.#options;
    let retry = first;
    this.#breaker.trip(retry, clock.monotonic());
    const since = clock.monotonic();
    this.#waiting += 1;
    onChange?.();
    try {
      for (;;) {
        await this.#turn(retry, since, signal);
        let done = (): void => {};
        this.#trying = new Promise((resolve) => (done = resolve));
        try {
          const result = await call();
          this.#breaker.succeed();
          return result;
        } catch (thrown) {
          if (!isRetryLater(thrown)) {
            this.#breaker.succeed();
            throw thrown;
          }
          retry = retryOf(thrown, first.source);
          this.#breaker.trip(retry, clock.monotonic());
          onChange?.();
        } finally {
          this.#trying = undefined;
          done();
        }
      }
    } catch (thrown) {
      if (thrown instanceof HandBack) this.handedBack();
      throw thrown;
    } finally {
      this.#waiting -= 1;
      // What was not answered here is tried elsewhere: its wait does not bind who comes next.
      if (this.#waiting === 0) this.#breaker.close(clock.monotonic());
      onChange?.();
    }
  }

  /** Resolves when the caller may try: the wait is over and nobody else is trying. */
  async #turn(retry: Retry, since: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, patienceMs } = this.#options;
    const flushing = this.#flushing.signal;
    const stop = signal === undefined ? flushing : AbortSignal.any([signal, flushing]);
    for (;;) {
      const until = this.#breaker.hold?.until ?? 0;
      if (this.#closed || flushing.aborted || until - since > patienceMs) throw new HandBack(retry);
      const left = until - clock.monotonic();
      if (left > 0) {
        await clock.sleep(left, stop).catch((thrown: unknown) => {
          if (!flushing.aborted) throw thrown;
        });
      } else if (this.#trying !== undefined) await this.#trying;
      else return;
    }
  }
}
