import type { Hold } from '../../src/flow/breaker.ts';

/** What a worker says of one job, at most once, on subject `retry.<job>`. */
export type RetryReport =
  /** Calls of the job wait in the worker; repeated every second. `waiting` 0: none does any more. */
  | { kind: 'waiting'; node: string; waiting: number; hold?: HoldView }
  /** The message with this number in HELD, returned as a probe, came through. */
  | { kind: 'passed'; probe: number };

/** A hold as it travels: times in Unix milliseconds. */
export type HoldView = Hold;

/** How often a worker repeats that calls wait. */
export const REPORT_MS = 1_000;

/** A hold of this process's monotonic clock, for others. */
export function viewOf(hold: Readonly<Hold>, clock: { now(): number; monotonic(): number }): HoldView {
  const shift = clock.now() - clock.monotonic();
  return { ...hold, since: Math.round(hold.since + shift), until: Math.round(hold.until + shift) };
}

export function encodeReport(report: RetryReport): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(report));
}

export function decodeReport(bytes: Uint8Array): RetryReport {
  return JSON.parse(new TextDecoder().decode(bytes)) as RetryReport;
}
