import type { Clock } from '../../clock/clock.ts';
import { ModelError } from '../model-error.ts';
import { correcting, holding, taking, type RateLimits, type RateState } from './rate-state.ts';
import type { RateStore } from './rate-store.ts';

/** What a limiter needs. */
export interface RateLimiterOptions {
  /** What the rates are of, e.g. the name of the provider: all limiters of this name in the store share them. */
  name: string;
  limits: RateLimits;
  store: RateStore;
  clock: Clock;
  /** Longest wait for a turn, in milliseconds; a call that would wait longer fails at once. Default 60_000. */
  longestWaitMs?: number | undefined;
}

interface Waiting {
  tokens: number;
  resolve: (startAt: number) => void;
  reject: (thrown: unknown) => void;
}

/** Corrections are written so long after they are known, unless a call takes them along: milliseconds. */
const CORRECT_AFTER_MS = 50;

/**
 * Requests and tokens per minute that everybody who shares the store keeps to together. A call takes its place in the order of calls and then waits
 * for it, so that nobody asks again and again. Calls of a process that come together are taken together.
 */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  #waiting: Waiting[] = [];
  #correction = { tokens: 0, holdUntil: 0 };
  #isTaking = false;
  #cancelCorrection: (() => void) | undefined;

  constructor(options: RateLimiterOptions) {
    this.#options = options;
  }

  /**
   * Resolves when a call of about so many tokens may be made.
   *
   * @throws ModelError `MODEL_RATE_LIMITED` when its turn is too far away; MillraceError `cancelled`
   */
  async take(tokens: number, signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const startAt = await new Promise<number>((resolve, reject) => {
      this.#waiting.push({ tokens, resolve, reject });
      void this.#takeAll();
    });
    const waitMs = startAt - clock.now();
    if (waitMs <= 0) return;
    await clock.sleep(waitMs, signal).catch((thrown: unknown) => {
      this.correct(-tokens);
      throw thrown;
    });
  }

  /** Calls have used so many tokens more than was taken for them; fewer where it is below 0. */
  correct(tokens: number): void {
    this.#correction.tokens += tokens;
    this.#correctSoon();
  }

  /** The provider wants nobody to call it for so long. */
  hold(ms: number): void {
    this.#correction.holdUntil = Math.max(this.#correction.holdUntil, this.#options.clock.now() + ms);
    this.#correctSoon();
  }

  #correctSoon(): void {
    this.#cancelCorrection ??= this.#options.clock.after(CORRECT_AFTER_MS, () => {
      this.#cancelCorrection = undefined;
      void this.#takeAll();
    });
  }

  /** One change of the store at a time: whoever comes meanwhile is in the next. */
  async #takeAll(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    while (this.#waiting.length > 0 || this.#correction.tokens !== 0 || this.#correction.holdUntil > 0) {
      const batch = this.#waiting;
      const correction = this.#correction;
      this.#waiting = [];
      this.#correction = { tokens: 0, holdUntil: 0 };
      try {
        const places = await this.#options.store.change(this.#options.name, (state) => this.#places(state, batch, correction));
        for (const [i, place] of places.entries()) {
          if (typeof place === 'number') batch[i]!.resolve(place);
          else batch[i]!.reject(place);
        }
      } catch (thrown) {
        for (const { reject } of batch) reject(thrown);
      }
    }
    this.#isTaking = false;
  }

  #places(
    before: RateState,
    batch: readonly Waiting[],
    { tokens, holdUntil }: { tokens: number; holdUntil: number },
  ): { state: RateState; result: (number | ModelError)[] } {
    const { name, limits, clock, longestWaitMs = 60_000 } = this.#options;
    const now = clock.now();
    let state = holding(correcting(before, limits, tokens), holdUntil);
    const result = batch.map((call) => {
      const next = taking(state, limits, { tokens: call.tokens, now });
      const waitMs = next.startAt - now;
      if (waitMs > longestWaitMs)
        return new ModelError('MODEL_RATE_LIMITED', `the limits of '${name}' are used up for ${Math.ceil(waitMs / 1000)} s`, {
          retryAfterMs: waitMs,
          maybeBilled: false,
        });
      state = next.state;
      return next.startAt;
    });
    return { state, result };
  }
}
