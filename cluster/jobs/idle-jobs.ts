import type { Clock } from '../../src/clock/clock.ts';

/** How long a job has nothing to do before its actor is given up, in ms: a pause may be short, and beginning again costs reads. */
const IDLE_MS = 60_000;

/** Which jobs of a node have had nothing to do for a while: what is kept of them in memory is to be given up. */
export class IdleJobs {
  readonly #clock: Clock;
  readonly #since = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Those of `jobs` that are idle now, and were at each call for a minute. */
  due(jobs: readonly string[], isIdle: (job: string) => boolean): string[] {
    const now = this.#clock.monotonic();
    const idle = new Set(jobs.filter(isIdle));
    for (const job of this.#since.keys()) if (!idle.has(job)) this.#since.delete(job);
    for (const job of idle) if (!this.#since.has(job)) this.#since.set(job, now);
    return [...idle].filter((job) => now - this.#since.get(job)! >= IDLE_MS);
  }
}
