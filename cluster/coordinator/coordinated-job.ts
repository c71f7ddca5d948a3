import type { Lease } from '../../src/protocol/lease.ts';
import { JobMachine } from '../../src/jobs/job-machine.ts';
import { markResumed, transition, type JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobEvents } from '../jobs/events.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { PlaceList } from './scheduler/place-list.ts';

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
  readonly #places: PlaceList;

  constructor(context: NodeContext, { lease, entry, places }: { lease: Lease; entry: JobEntry; places: PlaceList }) {
    this.context = context;
    this.lease = lease;
    this.#places = places;
    this.id = entry.record.id;
    this.machine = new JobMachine(entry);
    this.events = new JobEvents(context.bus, context.clock, context.id, this.id);
  }

  /** The newest record known. */
  get record(): JobRecord {
    return this.machine.record;
  }

  /**
   * Draws a number that no other coordinator has drawn or will. Evaluations are requested under it: two coordinators may both believe for
   * a while that they own a job, and must not take each other's results.
   */
  async drawAttempt(): Promise<number> {
    const drawn = await this.context.jobs.update(this.id, (record) =>
      isEnded(record.state) ? undefined : { ...record, taken: record.taken + 1 },
    );
    this.machine.recordChanged(drawn);
    return drawn.record.taken;
  }

  /** Reads the record: between two lives of the actor nobody heard its changes. */
  async refresh(): Promise<void> {
    const newest = await this.context.jobs.fetch(this.id);
    if (newest) this.machine.recordChanged(newest);
  }

  /**
   * A queued job begins, as `text` says, or goes on, if it has a place; a running one goes on under this lease, which is noted once.
   */
  async recordStart(text: string): Promise<void> {
    const { clock, id: node } = this.context;
    if (this.record.state === 'QUEUED') {
      await this.#begin(text);
    } else if (this.record.state === 'RUNNING' && !this.#startNoted) {
      await this.events.publish('taken-over', this.lease.token, `node ${node} took over the job`);
      await this.update((record) => (record.state === 'RUNNING' ? markResumed(record, clock.now()) : undefined));
    }
    if (this.record.state !== 'QUEUED') this.#startNoted = true;
  }

  async #begin(text: string): Promise<void> {
    const { id } = this;
    if ((this.#places.ticketOf(id) ?? 0) <= this.record.ticket) return;
    // The place may be another's by now; from here on it is this job's until its record says otherwise.
    const { places } = await this.#places.fetch();
    const ticket = Object.hasOwn(places.admitted, id) ? places.admitted[id]!.ticket : 0;
    if (ticket <= this.record.ticket) return;
    if (this.record.startedAt === undefined) await this.events.publish('started', 1, text);
    else await this.events.publish('continued', ticket, 'it has a place again');
    const now = this.context.clock.now();
    await this.update((record) =>
      record.state === 'QUEUED' && record.ticket < ticket ? transition(record, 'RUNNING', { now, ticket }) : undefined,
    );
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
