import { dollarsOf } from '../../src/budget/money.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Life } from './life.ts';
import type { CreateJobOptions } from '../admin/backend.ts';
import { CoordinatorBackend } from '../coordinator/admin-backend.ts';
import { watchNodes } from '../runtime/nodes.ts';
import type { SimulatedCluster } from './cluster.ts';
import type { SimulatedProcess } from './process.ts';
import type { World } from './world.ts';

const POLL_MS = 2_000;
/** How long the client waits for an answer, in ms. */
const CALL_MS = 15_000;
const RETRY_MS = 500;
/** A budget that is spent is made so many times as large. */
const RAISE = 2;

/** What a person does with the job while it runs. */
export interface ClientPlan {
  /** Whose job it is, and how important. Default: that of a cluster. */
  create?: CreateJobOptions;
  /** The job is paused so many virtual milliseconds after its creation, and resumed after `pauseForMs`. Default: never. */
  pauseAt?: number;
  /** The time counts from when this resolves instead. */
  pauseAfter?: Promise<void>;
  pauseForMs?: number;
  /** The job is cancelled so many virtual milliseconds after its creation. Default: never. */
  cancelAt?: number;
}

/** Is told of every job that a client is shown. */
export interface JobSeen {
  /** By the client that waits for its end. */
  looked(job: Job): void;
  /** By others. */
  viewed(job: Job): void;
}

/** A person with an admin client: creates a job, looks at it until it has ended, and calls again when nobody answers. */
export class SimulatedClient {
  readonly #world: World;
  readonly #cluster: SimulatedCluster;
  readonly #backends = new Map<Life, Promise<CoordinatorBackend>>();

  constructor(world: World, cluster: SimulatedCluster) {
    this.#world = world;
    this.#cluster = cluster;
  }

  /** Creates the job and follows it to its end. */
  async run(
    id: string,
    config: JobConfig,
    { create, pauseAt, pauseForMs = 1_000, pauseAfter, cancelAt }: ClientPlan,
    seen: JobSeen,
  ): Promise<Job> {
    const { clock, recorder } = this.#world;
    await this.#ask('create the job', async (backend) => {
      await backend.createJob(id, config, create).catch((thrown: unknown) => {
        // An earlier try went through unheard.
        if (MillraceError.from(thrown).code !== 'already_exists') throw thrown;
      });
    });
    recorder.note('client', 'job', `${id} is created`);
    void this.#watch(id, seen);
    if (cancelAt !== undefined) void this.#cancel(id, cancelAt);
    if (pauseAt !== undefined) void this.#pause(id, { at: pauseAt, forMs: pauseForMs, after: pauseAfter });
    for (;;) {
      const job = await this.#ask('look at the job', (backend) => backend.getJob(id));
      seen.looked(job);
      if (hasEnded(job)) {
        recorder.note('client', 'job', `${id} is ${JobState[job.state]}${job.error && `: ${job.error}`}`);
        await this.#lookEverywhere(id, seen);
        return job;
      }
      if (isOutOfMoney(job)) await this.#raise(job);
      await clock.sleep(POLL_MS);
    }
  }

  /** Gives more money to a job that has spent what it may, and lets it go on. */
  async #raise({ id, owner, budgets }: Job): Promise<void> {
    const use = budgets.find(({ exhausted }) => exhausted);
    const more = use && RAISE * Number(use.limit);
    if (use?.of === 'owner')
      await this.#ask('raise the budget', ({ budgets: desk }) =>
        desk.updateBudget({ owner, limitMicroDollars: BigInt(Math.ceil(more!)) }),
      );
    else if (use)
      await this.#ask('raise the budget', (backend) =>
        tolerant(backend.updateJobBudget(id, (budget) => ({ ...budget, dollars: dollarsOf(more!) }))),
      );
    await this.#ask('resume the job', (backend) => tolerant(backend.resumeJob(id)));
  }

  /** Another person watches the job at the coordinator that was started last, and reads on elsewhere where the watch breaks. */
  async #watch(id: string, seen: JobSeen): Promise<void> {
    const { clock } = this.#world;
    for (;;) {
      const coordinator = this.#cluster.allRunning('coordinator').at(-1);
      if (coordinator) {
        const { life } = coordinator;
        const lost = new Promise<undefined>((resolve) => life.onEnd(() => resolve(undefined)));
        try {
          const backend = await Promise.race([life.through(this.#backend(coordinator)), lost]);
          const views = backend?.watchJob(id, new AbortController().signal)[Symbol.asyncIterator]();
          for (let next = await Promise.race([views?.next(), lost]); next && !next.done;) {
            if (!life.isRunning) await Promise.race([life.running(), lost]);
            if (life.hasEnded) break;
            seen.viewed(next.value);
            if (hasEnded(next.value)) return;
            next = await Promise.race([views!.next(), lost]);
          }
        } catch {
          // It is watched again.
        }
      }
      await clock.sleep(RETRY_MS);
    }
  }

  /** Whichever coordinator is asked about a job that has ended, the answer is true. One that does not answer now is left out. */
  async #lookEverywhere(id: string, seen: JobSeen): Promise<void> {
    const { clock } = this.#world;
    const ask = async (coordinator: SimulatedProcess): Promise<void> => {
      const { life } = coordinator;
      const job = await life.through((await this.#backend(coordinator)).getJob(id));
      if (hasEnded(job)) seen.viewed(job);
    };
    const asked = this.#cluster.allRunning('coordinator').map((one) => ask(one).catch(() => {}));
    await Promise.race([Promise.all(asked), clock.sleep(CALL_MS)]);
  }

  async #pause(id: string, { at, forMs, after }: { at: number; forMs: number; after: Promise<void> | undefined }): Promise<void> {
    const { clock } = this.#world;
    await after;
    await clock.sleep(at);
    await this.#ask('pause the job', (backend) => tolerant(backend.pauseJob(id)));
    await clock.sleep(forMs);
    await this.#ask('resume the job', (backend) => tolerant(backend.resumeJob(id)));
    this.#world.observer.saw('paused-and-resumed');
  }

  async #cancel(id: string, at: number): Promise<void> {
    await this.#world.clock.sleep(at);
    await this.#ask('cancel the job', (backend) => tolerant(backend.cancelJob(id)));
  }

  /** Asks one of the coordinators that run, again and again until one answers. */
  async #ask<T>(what: string, ask: (backend: CoordinatorBackend) => Promise<T>): Promise<T> {
    const { clock, recorder } = this.#world;
    for (;;) {
      const coordinator = this.#cluster.running('coordinator');
      if (coordinator) {
        const { life } = coordinator;
        const answer = (async (): Promise<{ value: T } | { error: MillraceError }> => {
          try {
            return { value: await life.through(ask(await this.#backend(coordinator))) };
          } catch (thrown) {
            return { error: MillraceError.from(thrown) };
          }
        })();
        let stop = (): void => {};
        const late = new Promise<undefined>((resolve) => (stop = clock.after(CALL_MS, () => resolve(undefined))));
        const first = await Promise.race([answer, late]);
        stop();
        if (first && 'value' in first) return first.value;
        if (first && !first.error.retryable) throw first.error;
        recorder.note('client', 'no-answer', `${what}: ${first?.error.message ?? 'no answer in time'}`);
      }
      await clock.sleep(RETRY_MS);
    }
  }

  #backend(coordinator: NonNullable<ReturnType<SimulatedCluster['running']>>): Promise<CoordinatorBackend> {
    const { life } = coordinator;
    let backend = this.#backends.get(life);
    if (!backend) {
      const noQuery = (): Promise<never> => Promise.reject(new MillraceError('unimplemented', 'a simulated cluster has no SQL'));
      backend = coordinator.started.then(
        async ({ context }) => new CoordinatorBackend(context, await watchNodes(context.bus), { query: noQuery }),
      );
      backend.catch(() => this.#backends.delete(life));
      this.#backends.set(life, backend);
    }
    return backend;
  }
}

/** The job may have ended, or an earlier try may have gone through. */
function tolerant(work: Promise<unknown>): Promise<unknown> {
  return work.catch((thrown: unknown) => {
    if (MillraceError.from(thrown).code !== 'failed_precondition') throw thrown;
  });
}

/** It was paused since a budget is spent, or it was paused by somebody and cannot be resumed before there is more. */
function isOutOfMoney({ state, pauseReason, budgets }: Job): boolean {
  return state === JobState.PAUSED && (pauseReason !== '' || budgets.some(({ exhausted }) => exhausted));
}

function hasEnded({ state }: Job): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}
