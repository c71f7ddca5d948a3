import { MillraceError } from '../../src/errors.ts';
import { open } from '../../src/jobs/ledger.ts';
import type { CoordinatedJob } from './coordinated-job.ts';
import { JobStreams } from './job-streams.ts';
import type { SharedLooks } from './shared-looks.ts';
import { UnstoredGroups, type CountStored } from './unstored-groups.ts';

/** Finds what a job lost with streams that were deleted: requests are sent again, rows can only be counted. */
export class JobLosses {
  readonly #job: CoordinatedJob;
  readonly #streams: JobStreams;
  readonly #unstored: UnstoredGroups | undefined;

  /** @param countStored counts the groups that the store has; without it rows that were lost are not counted. */
  constructor(job: CoordinatedJob, looks: SharedLooks, countStored: CountStored | undefined) {
    this.#job = job;
    this.#streams = new JobStreams(job, looks);
    this.#unstored = countStored && new UnstoredGroups(job.id, countStored, job.context, job.record.forked?.used);
  }

  /** Makes the job's durables, before anything is sent. */
  ensureStreams(): Promise<void> {
    return this.#streams.ensure();
  }

  /** Looks for streams that were made anew, and notes them in the record. Returns whether requests may be lost. */
  async checkStreams(): Promise<boolean> {
    const { machine } = this.#job;
    const version = machine.manifest?.version ?? -1;
    await this.#streams.committed(version);
    if (machine.ended) return false;
    const loss = await this.#streams.findLoss(this.#job.record);
    if (!loss) return false;
    const { streams, recreated, requests, rows } = loss;
    await this.#job.updateOpen((record) => ({
      ...record,
      streams,
      ...(requests && { attempt: record.attempt + 1 }),
      ...(rows && { unstored: record.unstored ?? 0 }),
    }));
    if (rows) this.#unstored?.rowsLost();
    this.#streams.report(recreated, { version, open: open(machine.ledger, this.#job.record.accepted).length });
    return requests;
  }

  /** Counts the rows that were lost, where some can be. `last`: the job ends, so wait for the store. */
  async countUnstored(last = false): Promise<void> {
    const { context, id, machine } = this.#job;
    const ledger = machine.manifest?.ledger;
    if (!ledger || !this.#unstored || machine.record.unstored === undefined) return;
    let unstored: number | undefined;
    try {
      unstored = await (last ? this.#unstored.last(ledger) : this.#unstored.countIfDue(ledger));
    } catch (thrown) {
      context.log.warn({ err: MillraceError.from(thrown), job: id }, 'unstored groups could not be counted');
    }
    if (unstored === undefined || unstored === machine.record.unstored) return;
    await this.#job.updateOpen((record) => ({ ...record, unstored }));
    const message = `${unstored} groups were used and their rows are not in the trajectory store: they were lost with a stream, and are not run again`;
    if (unstored > 0) void context.notices.report(id, { code: 'ROWS_UNSTORED', message, lasts: false });
  }
}
