import type { Lease } from '../../src/protocol/lease.ts';
import { JobMachine } from '../../src/jobs/job-machine.ts';
import { markResumed, transition, type JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import type { NodeContext } from '../runtime/context.ts';

/** One job as the parts of its actor share it: its state, and the way to change its record. */
export class CoordinatedJob {
  readonly context: NodeContext;
  /** The lease that allows this node to run the job. */
  readonly lease: Lease;
  readonly id: string;
  readonly machine: JobMachine;
  readonly events: JobEvents;
  /** The event that the job started, or was taken over under this lease, has been published. */
  #startNoted = false;

  constructor(context: NodeContext, lease: Lease, entry: JobEntry) {
    this.context = context;
    this.lease = lease;
    this.id = entry.record.id;
    this.machine = new JobMachine(entry);
    this.events = new JobEvents(context.bus, context.clock, context.id, this.id);
  }

  /** The newest record known. */
  get record(): JobRecord {
    return this.machine.record;
  }

  /** Another one for each lease, and after each loss of a stream: evaluations are run again under ids of their own. */
  get evaluationAttempt(): number {
    return this.lease.token + this.record.attempt;
  }

  /** Reads the record: between two lives of the actor nobody heard its changes. */
  async refresh(): Promise<void> {
    const newest = await this.context.jobs.fetch(this.id);
    if (newest) this.machine.recordChanged(newest);
  }

  /** The job begins, as `text` says, or goes on under this lease. Noted once a lease. */
  async recordStart(text: string): Promise<void> {
    if (this.#startNoted) return;
    const { clock, id: node } = this.context;
    if (this.record.state === 'QUEUED') {
      await this.events.publish('started', 1, text);
      await this.update((record) =>
        record.state === 'QUEUED' ? transition(record, 'RUNNING', { now: clock.now() }) : undefined,
      );
    } else if (this.record.state === 'RUNNING') {
      await this.events.publish('taken-over', this.lease.token, `node ${node} took over the job`);
      await this.update((record) => (record.state === 'RUNNING' ? markResumed(record, clock.now()) : undefined));
    }
    this.#startNoted = true;
  }

  /** Changes the record; undefined leaves it as it is. */
  async update(change: (record: JobRecord) => JobRecord | undefined): Promise<void> {
    this.machine.recordChanged(await this.context.jobs.update(this.id, change));
  }

  /** Changes the record unless the job has ended: its ledger may be settled already, and a request accepted later would be in none. */
  async updateOpen(change: (record: JobRecord) => JobRecord): Promise<void> {
    await this.update((record) => (isEnded(record.state) ? undefined : change(record)));
  }

  /** Changes the record unless the job was paused or has ended: what only a job that runs may do. */
  async updateRunning(change: (record: JobRecord) => JobRecord): Promise<void> {
    await this.update((record) => (record.state === 'RUNNING' ? change(record) : undefined));
  }
}
