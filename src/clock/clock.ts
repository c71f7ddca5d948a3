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
   * Calls `fn` every `ms` milliseconds until the returned function is called. Calls never overlap a running async `fn`. Throws
   * `invalid_argument` unless `ms` is finite and above 0.
   */
  every(ms: number, fn: () => void | Promise<void>): () => void;
}

/** The error for a duration that is none; undefined for one that {@link Clock.sleep} takes. */
export function durationProblem(ms: number): MillraceError | undefined {
  if (typeof ms === 'number' && !Number.isNaN(ms)) return undefined;
  return new MillraceError('invalid_argument', `a number of milliseconds is needed, got ${String(ms)}`, { field: 'ms' });
}
