import { MillraceError } from '../errors.ts';

/** Port: time. Everything that waits takes a Clock, so that serial mode can run on virtual time. */
export interface Clock {
  /** Milliseconds since the Unix epoch (virtual clocks start at their own origin). */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonic(): number;
  /**
   * Resolves after `ms` milliseconds, at once for 0 and less; rejects with a `cancelled` MillraceError when the signal aborts first, and
   * with `invalid_argument` when `ms` is NaN or no number.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls `wake` after `ms` milliseconds, never before this returns; returns a function that takes this back. Cheaper than a sleep with
   * a signal for what is usually taken back. Throws `invalid_argument` when `ms` is NaN or no number.
   */
  after(ms: number, wake: () => void): () => void;
  /**
   * Calls `fn` every `ms` milliseconds until the returned function is called. Calls never overlap a running async `fn`. Throws
   * `invalid_argument` unless `ms` is finite and above 0.
   */
  every(ms: number, fn: () => void | Promise<void>): () => void;
}

/** Throws `invalid_argument` for a duration that is none. */
export function checkDuration(ms: number): void {
  if (typeof ms === 'number' && !Number.isNaN(ms)) return;
  throw new MillraceError('invalid_argument', `a number of milliseconds is needed, got ${String(ms)}`, { field: 'ms' });
}
