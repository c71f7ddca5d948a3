/** Port: time. Everything that waits takes a Clock, so that serial mode can run on virtual time. */
export interface Clock {
  /** Milliseconds since the Unix epoch (virtual clocks start at their own origin). */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects with a `cancelled` MillraceError when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` every `ms` milliseconds until the returned function is called. Calls never overlap a running async `fn`. */
  every(ms: number, fn: () => void | Promise<void>): () => void;
}
