import type { Clock } from './clock.ts';
import { nextTurn } from './turn.ts';

/** Longest stretch of work without a turn of the event loop, in ms. */
const SLICE_MS = 12;

/**
 * Cuts long synchronous work into slices, so that everything else of the process (heartbeats, leases, requests) goes on beside it:
 * `for (…) { …; if (slices.due) await slices.turn(); }`
 *
 * A virtual clock stands still while work is done: under one no slice is ever due, so that the turns of a run do not depend on the machine.
 */
export class Slices {
  readonly #clock: Clock;
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** Whether the present slice has taken long enough. */
  get due(): boolean {
    return this.#clock.monotonic() - this.#since >= SLICE_MS;
  }

  /** Gives way, and begins a new slice. */
  async turn(): Promise<void> {
    await nextTurn();
    this.#since = this.#clock.monotonic();
  }
}
