import { isEnded } from '../../src/jobs/state.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { JobLeases } from '../jobs/job-leases.ts';
import type { NodeContext } from '../runtime/context.ts';
import { settleQueues } from './ending.ts';
import { JobActor } from './job-actor.ts';
import type { JobMessage } from './job-message.ts';
import { hasTurn } from './turn.ts';
import type { CountStored } from './unstored-groups.ts';

/** Options of {@link JobActors}. */
export interface JobActorsOptions {
  /** Jobs that run at the same time. */
  maxRunning: number;
  /** Asks the store which groups it has; undefined where no store can be asked. */
  countStored: CountStored | undefined;
}

/** The jobs that a coordinator has an actor for: one for each whose lease it holds. */
export class JobActors {
  readonly #context: NodeContext;
  readonly #options: JobActorsOptions;
  readonly #held: JobLeases<JobMessage>;

  constructor(context: NodeContext, options: JobActorsOptions) {
    this.#context = context;
    this.#options = options;
    this.#held = new JobLeases<JobMessage>(context, 'job');
  }

  /** Ids of the jobs whose lease is held. */
  get ids(): string[] {
    return this.#held.jobs;
  }

  /** Looks at all jobs: another coordinator's lease may have run out, or there may be room for a queued one. */
  async scan(): Promise<void> {
    await this.#held.releaseUnknown();
    for (const entry of this.#context.jobs.list().reverse()) {
      if (this.#held.get(entry.record.id) && !isEnded(entry.record.state)) continue;
      await this.changed(entry);
    }
  }

  /** A job has changed: it is taken when it has its turn, and its actor stops when it has ended. */
  async changed(entry: JobEntry): Promise<void> {
    const { id, state } = entry.record;
    if (isEnded(state) && this.#held.get(id)) await this.#held.release(id);
    else await this.#take(entry);
  }

  stop(): Promise<void> {
    return this.#held.stop();
  }

  async #take(entry: JobEntry): Promise<void> {
    const { id } = entry.record;
    if (!this.#hasTurn(entry)) return;
    const { jobs, actors } = this.#context;
    await this.#held.acquire(id, async (lease) => {
      const newest = await jobs.fetch(id);
      if (!newest || !this.#hasTurn(newest)) return undefined;
      // The node that ended the job did not settle its queues.
      if (isEnded(newest.record.state)) {
        await settleQueues(this.#context, newest.record);
        return undefined;
      }
      const actor = new JobActor(this.#context, { lease, entry: newest, countStored: this.#options.countStored });
      return actors.spawn<JobMessage>('coordinator', id, actor, this.#held.supervised(id));
    });
  }

  #hasTurn({ record }: JobEntry): boolean {
    const all = this.#context.jobs.list().map((entry) => entry.record);
    return hasTurn(record, all, this.#options.maxRunning);
  }
}
