import { checkDuration, type Clock } from '../../../src/clock/clock.ts';
import { repeat, sleepOn } from '../../../src/clock/system.ts';
import type { VirtualClock } from '../../../src/clock/virtual.ts';
import type { Life } from '../life.ts';

/** What the clock of one machine does wrong. */
export interface ClockErrors {
  /** Seconds that it counts in one second. Default 1. */
  rate?: number;
  /** Milliseconds that its calendar is ahead of the true one. Default 0. */
  offsetMs?: number;
}

/** The clock as one process reads it: it drifts, its calendar jumps, and timers fire when the process runs. */
export class SimulatedClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #life: Life;
  readonly #rate: number;
  #offsetMs: number;

  constructor(clock: VirtualClock, life: Life, { rate = 1, offsetMs = 0 }: ClockErrors = {}) {
    this.#clock = clock;
    this.#life = life;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  /** Sets the calendar forward or back; durations go on as before, as with CLOCK_MONOTONIC. */
  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  now(): number {
    return Math.round(this.#clock.now() + this.#offsetMs + this.#clock.monotonic() * (this.#rate - 1));
  }

  monotonic(): number {
    return this.#clock.monotonic() * this.#rate;
  }

  after(ms: number, wake: () => void): () => void {
    checkDuration(ms);
    let gone = false;
    // A process that stands still may take it back when it goes on, before its turn comes.
    const cancel = this.#clock.after(ms / this.#rate, () => this.#life.pass(() => void (gone || wake())));
    return () => {
      gone = true;
      cancel();
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  every(ms: number, fn: () => void | Promise<void>): () => void {
    return repeat(this, ms, fn);
  }
}
