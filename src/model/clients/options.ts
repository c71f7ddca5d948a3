import type { Clock } from '../../clock/clock.ts';

/** Options of models behind HTTP, whoever provides them. */
export interface HttpModelOptions {
  /** The model as the provider names it. */
  model: string;
  /** Further headers of each request. Their values are left out of messages. */
  headers?: Readonly<Record<string, string>>;
  /** Name in settings, prices and records. Default: `model`. */
  name?: string;
  /** Measures durations. Default: the system's. */
  clock?: Clock;
}
