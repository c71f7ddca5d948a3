import { nextTurn } from './turn.ts';

/** Longest stretch of work without a turn of the event loop, in ms. */
const SLICE_MS = 12;

/**
 * Cuts long synchronous work into slices, so that everything else of the process (heartbeats, leases, requests) goes on beside it:
 * `for (…) { …; if (slices.due) await slices.turn(); }`
 */
export class Slices {
  #since = performance.now();

  /** Whether the present slice has taken long enough. */
  get due(): boolean {
    return performance.now() - this.#since >= SLICE_MS;
  }

  /** Gives way, and begins a new slice. */
  async turn(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
