import { nothingRuns, stopTracking, type Activity } from './activity.ts';
import type { Clock } from './clock.ts';
import { systemClock } from './system.ts';

/** How often the event loop is looked at while something is waited for. */
const LOOK_MS = 10;
/** A gap between two looks that is longer than this is a stall: the loop did not turn. */
const STALL_MS = 25;
/** What a stall counts for, as a share of the limit: a tool that hangs beside a loop that stalls all the time still ends. */
const SHARE_OF_STALL = 1 / 50;
/** An answer that has come is refused only when it is later than its limit by this much, or by the limit itself where that is less. */
const GRACE_MS = 100;
/** Tracking goes on for this long after the last wait: switching it costs more than keeping it. */
const IDLE_MS = 1_000;

/** What {@link TimeLimit} needs. */
export interface TimeLimitOptions {
  clock: Clock;
  /** What the limit is for; its own time always counts. Default: code that runs elsewhere, in a thread or another process. */
  activity?: Activity | undefined;
}

/**
 * A time limit that measures the work, not this process. Time counts while the event loop turns, and while the work itself holds the
 * loop. Where other code, the garbage collector or the operating system held the loop (or the whole machine slept) the work
 * could not go on: the time is given back.
 *
 * Time is given back under the system's clock only: a virtual clock stands still meanwhile.
 */
export class TimeLimit {
  readonly limitMs: number;
  readonly #clock: Clock;
  readonly #activity: Activity | undefined;
  readonly #startedAt: number;
  readonly #usedBefore: number;
  /** Of stalls that have ended. */
  #givenBack = 0;
  /** What the activity had used at the last look, or at the beginning. */
  #usedAtLook: number;

  constructor(limitMs: number, { clock, activity }: TimeLimitOptions) {
    this.limitMs = limitMs;
    this.#clock = clock;
    this.#activity = activity;
    this.#startedAt = clock.monotonic();
    this.#usedBefore = this.#usedAtLook = activity?.usedMs ?? 0;
  }

  /** Milliseconds that count, up to now. */
  get elapsedMs(): number {
    const elapsed = this.#clock.monotonic() - this.#startedAt;
    if (this.#clock !== systemClock) return elapsed;
    return elapsed - this.#givenBack - this.#stalledSinceLook(this.#clock.monotonic());
  }

  /** An answer that comes now is too late. */
  get isMissed(): boolean {
    return this.elapsedMs > this.limitMs + Math.min(this.limitMs, GRACE_MS);
  }

  /** What the work does by itself, without waiting, is too long; for work that has never let go of the loop. */
  get isOverrun(): boolean {
    if (this.#activity === undefined || this.#clock !== systemClock) return false;
    return this.#activity.usedMs - this.#usedBefore > this.limitMs + Math.min(this.limitMs, GRACE_MS);
  }

  /**
   * Waits for work that was begun at the limit's construction. Resolves with what it settled to, 'late', or 'cancelled' when
   * `signal` aborts first; never rejects.
   */
  of<R>(work: PromiseLike<R>, signal?: AbortSignal): Promise<{ result: R } | { thrown: unknown } | 'late' | 'cancelled'> {
    return new Promise((resolve) => {
      const settle = (outcome: { result: R } | { thrown: unknown } | 'late' | 'cancelled'): void => {
        stopWaiting();
        signal?.removeEventListener('abort', onAbort);
        resolve(typeof outcome === 'object' && this.isMissed ? 'late' : outcome);
      };
      const onAbort = (): void => settle('cancelled');
      const stopWaiting = this.#whenPassed(() => settle('late'));
      // First: what it rejects with after the abort is handled as well.
      work.then(
        (result) => settle({ result }),
        (thrown: unknown) => settle({ thrown }),
      );
      if (signal?.aborted) return onAbort();
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Resolves with true when the limit has passed, with false when `signal` aborts first; never rejects. */
  passed(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false);
      const stopWaiting = this.#whenPassed(() => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      });
      const onAbort = (): void => {
        stopWaiting();
        resolve(false);
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Calls back once when the limit has passed, never before this returns; returns what takes that back. */
  #whenPassed(passed: () => void): () => void {
    const stopWatching = this.#clock === systemClock ? watchLoop(this) : (): void => {};
    let cancel: () => void;
    const wait = (left: number): void => {
      // A timer may fire a fraction of a millisecond early.
      cancel = this.#clock.after(Math.max(1, left), () => {
        const rest = this.limitMs - this.elapsedMs;
        if (rest > 0) return wait(rest);
        stopWatching();
        passed();
      });
    };
    wait(this.limitMs);
    return () => {
      cancel();
      stopWatching();
    };
  }

  /** @internal The loop turns again, or still. */
  look(now: number): void {
    this.#givenBack += this.#stalledSinceLook(now);
    this.#usedAtLook = this.#activity?.usedMs ?? 0;
  }

  #stalledSinceLook(now: number): number {
    const gap = now - Math.max(lookedAt, this.#startedAt);
    if (gap <= STALL_MS) return 0;
    const own = (this.#activity?.usedMs ?? 0) - this.#usedAtLook;
    return Math.max(0, gap - own - this.limitMs * SHARE_OF_STALL);
  }
}

/** Limits that are waited for. */
const watched = new Set<TimeLimit>();
let timer: NodeJS.Timeout | undefined;
/** When the last look was, by the system's clock. */
let lookedAt = 0;
/** When there was last something to wait for. */
let usedAt = 0;

function watchLoop(limit: TimeLimit): () => void {
  watched.add(limit);
  if (timer === undefined) {
    lookedAt = systemClock.monotonic();
    timer = setInterval(look, LOOK_MS).unref();
  }
  return () => void watched.delete(limit);
}

function look(): void {
  const now = systemClock.monotonic();
  nothingRuns();
  for (const limit of watched) limit.look(now);
  lookedAt = now;
  if (watched.size > 0) usedAt = now;
  if (now - usedAt < IDLE_MS) return;
  clearInterval(timer);
  timer = undefined;
  stopTracking();
}
