import { isEnded } from '../../src/jobs/state.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { IdleJobs } from '../jobs/idle-jobs.ts';
import { JobLeases, takeEach } from '../jobs/job-leases.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { BudgetBook } from './budget-book.ts';
import { settleQueues } from './ending.ts';
import { JobActor } from './job-actor.ts';
import type { JobMessage } from './job-message.ts';
import type { DispatchLimits } from './scheduler/dispatch-limits.ts';
import type { PlaceList } from './scheduler/place-list.ts';
import { SharedLooks } from './shared-looks.ts';
import type { CountStored } from './unstored-groups.ts';

/** Options of {@link JobActors}. */
export interface JobActorsOptions {
  /** Which jobs have a place. */
  places: PlaceList;
  /** How many requests each may have under way. */
  limits: DispatchLimits;
  /** How far budgets are spent. */
  budgets: BudgetBook;
  /** Asks the store which groups it has; undefined where no store can be asked. */
  countStored: CountStored | undefined;
}

/** The jobs that a coordinator has an actor for: one for each whose lease it holds. */
export class JobActors {
  readonly #context: NodeContext;
  readonly #options: JobActorsOptions;
  readonly #held: JobLeases<JobMessage>;
  readonly #looks: SharedLooks;
  readonly #idle: IdleJobs;
  /** Jobs that were given up while they had nothing to do, with the revision of their record: a change of it may be something to do. */
  readonly #resting = new Map<string, number>();

  constructor(context: NodeContext, options: JobActorsOptions) {
    this.#context = context;
    this.#options = options;
    this.#looks = new SharedLooks(context);
    this.#idle = new IdleJobs(context.clock);
    this.#held = new JobLeases<JobMessage>(context, 'job');
  }

  /** Ids of the jobs whose lease is held. */
  get ids(): string[] {
    return this.#held.jobs;
  }

  /** Looks at all jobs that are not over: another coordinator's lease may have run out, or there may be room for a queued one. */
  async scan(): Promise<void> {
    await this.#held.releaseUnknown();
    await this.#giveUpIdle();
    const without = this.#context.jobs.active().filter(({ record }) => !this.#held.get(record.id) || isEnded(record.state));
    await takeEach(without, (entry) => this.changed(entry));
  }

  /** Paused jobs, and those that lost their place, are in their records: nothing of them need be in memory. */
  async #giveUpIdle(): Promise<void> {
    const { jobs } = this.#context;
    const isIdle = (id: string): boolean => {
      const state = jobs.get(id)?.record.state;
      return state === 'PAUSED' || (state === 'QUEUED' && !this.#hasWork(jobs.get(id)!));
    };
    for (const id of this.#idle.due(this.#held.jobs, isIdle)) {
      const { record, revision } = jobs.get(id)!;
      // A job that waits for a place is taken when it has one, which changes nothing in its record.
      if (record.state === 'PAUSED') this.#resting.set(id, revision);
      await this.#held.release(id);
    }
  }

  /** A job has changed: it is taken when there is work for it, and its actor stops when it has ended. */
  async changed(entry: JobEntry): Promise<void> {
    const { id, state } = entry.record;
    if (isEnded(state) && this.#held.get(id)) await this.#held.release(id);
    else await this.#take(entry);
  }

  /** A job may send more. */
  roomFor(job: string): void {
    void this.#held.get(job)?.tell({ kind: 'room' });
  }

  /** Jobs have got places: those that wait for one here go on, and others are taken. */
  async placed(): Promise<void> {
    await takeEach(Object.keys(this.#options.places.places.admitted), async (id) => {
      const entry = this.#context.jobs.get(id);
      if (entry?.record.state !== 'QUEUED') return;
      const actor = this.#held.get(id);
      if (actor) void actor.tell({ kind: 'placed' });
      else await this.#take(entry);
    });
  }

  stop(): Promise<void> {
    return this.#held.stop();
  }

  async #take(entry: JobEntry): Promise<void> {
    const { id } = entry.record;
    if (!this.#hasWork(entry) || this.#resting.get(id) === entry.revision) return;
    this.#resting.delete(id);
    const { jobs, actors } = this.#context;
    await this.#held.acquire(id, async (lease) => {
      const newest = await jobs.fetch(id);
      if (!newest || !this.#hasWork(newest)) return undefined;
      // The node that ended the job did not settle its queues.
      if (isEnded(newest.record.state)) {
        await settleQueues(this.#context, newest.record);
        return undefined;
      }
      // The token alone does not grow for ever: leases may be lost and made again.
      const entry = await jobs.update(id, (record) =>
        isEnded(record.state) ? undefined : { ...record, taken: Math.max(record.taken + 1, lease.token) },
      );
      const actor = new JobActor(this.#context, { lease, entry, looks: this.#looks, ...this.#options });
      return actors.spawn<JobMessage>('coordinator', id, actor, this.#held.supervised(id));
    });
  }

  /** Whether there is something to do: for jobs that run, are paused, have a place to start in, or have ended and leave queues to be emptied. */
  #hasWork({ record }: JobEntry): boolean {
    if (isEnded(record.state)) return record.unsettled.includes('queues');
    return record.state !== 'QUEUED' || (this.#options.places.ticketOf(record.id) ?? 0) > record.ticket;
  }
}
