import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import { usedCount } from '../../src/jobs/ledger.ts';
import { writerBacklog } from '../../src/protocol/writer-durables.ts';
import type { RunQuery } from '../admin/backend.ts';

/** Counts the groups of a job that have ended, by the ledger, and of which the store has two valid trajectories or more. */
export type CountStored = (job: string, ledger: Ledger) => Promise<number>;

/**
 * When groups are counted after a loss, in ms, each time by the ledger of the time before: what a store held that died meanwhile comes
 * again after half a minute, and must not be taken for lost.
 */
const COUNT_AFTER_MS = [5_000, 60_000];
/** How long the end of a job waits for the store. */
const LAST_COUNT_MS = 10_000;
const PAUSE_MS = 250;
/** How long the store may take to count. */
const COUNT_TIMEOUT_MS = 10_000;

/**
 * Groups that have ended, other than as failed, and whose rows the store does not have: they went with a stream that was deleted.
 * They are in the weights and are not run again, so they can only be counted.
 */
export class UnstoredGroups {
  readonly #job: string;
  readonly #count: CountStored;
  readonly #clock: Clock;
  readonly #bus: Bus;
  /** Groups of another job, whose training this one goes on with. */
  readonly #others: number;
  /** Ledger to count by, once what it says has had the time to be stored. */
  #ledger: Ledger | undefined;
  #due: number[] = [];

  constructor(job: string, count: CountStored, { clock, bus }: { clock: Clock; bus: Bus }, others = 0) {
    this.#job = job;
    this.#count = count;
    this.#clock = clock;
    this.#bus = bus;
    this.#others = others;
  }

  /** Rows may have been lost just now. */
  rowsLost(): void {
    this.#ledger = undefined;
    this.#due = COUNT_AFTER_MS.map((after) => this.#clock.monotonic() + after);
  }

  /** Counts when it is time to; by the ledger of the time before, whose groups are stored by now. Undefined in between. */
  async countIfDue(ledger: Ledger): Promise<number | undefined> {
    const next = this.#due[0];
    if (next === undefined || this.#clock.monotonic() < next) return undefined;
    this.#due.shift();
    const before = this.#ledger;
    this.#ledger = ledger;
    return before && this.#unstored(before);
  }

  /**
   * The count at the end of the job, which waits for the store for some seconds. Undefined while rows are still on their way: what is
   * not stored yet is not lost.
   */
  async last(ledger: Ledger): Promise<number | undefined> {
    const deadline = this.#clock.monotonic() + LAST_COUNT_MS;
    for (;;) {
      const unstored = await this.#unstored(ledger);
      const backlog = unstored === 0 ? 0 : await writerBacklog(this.#bus);
      if (backlog === 0 || this.#clock.monotonic() >= deadline) return backlog === 0 ? this.#unstored(ledger) : undefined;
      await this.#clock.sleep(PAUSE_MS);
    }
  }

  async #unstored(ledger: Ledger): Promise<number> {
    return Math.max(0, usedCount(ledger) - this.#others - (await this.#count(this.#job, ledger)));
  }
}

/** Asks the store node. */
export function countStored(query: RunQuery, clock: Clock): CountStored {
  return async (job, { frontier, endedBeyond }) => {
    const beyond = endedBeyond.length === 0 ? '' : ` OR sequence IN (${endedBeyond.join(', ')})`;
    // Job ids hold no quotes.
    const valid = `SELECT sequence, uniqExact(trajectory_id) AS members FROM trajectories WHERE job = '${job}' AND purpose = 'train' AND valid AND (sequence < ${frontier}${beyond}) GROUP BY sequence, request_id`;
    const sql = `SELECT uniqExact(sequence) FROM (${valid}) WHERE members >= 2`;
    const [late, answered] = [new AbortController(), new AbortController()];
    void clock.sleep(COUNT_TIMEOUT_MS, answered.signal).then(
      () => late.abort(new MillraceError('deadline_exceeded', `the store did not count within ${COUNT_TIMEOUT_MS} ms`)),
      () => undefined,
    );
    try {
      const { rows } = await query(sql, 1, late.signal);
      return Number(rows[0]?.[0] ?? 0);
    } finally {
      answered.abort();
    }
  };
}
