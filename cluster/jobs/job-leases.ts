import type { ActorRef } from '../../src/actor/behaviour.ts';
import { isPermanent } from '../../src/actor/supervision.ts';
import type { SpawnOptions } from '../../src/actor/system.ts';
import { LEASES } from '../../src/protocol/names.ts';
import { acquireLease, type Lease } from '../../src/protocol/lease.ts';
import { MillraceError } from '../../src/errors.ts';
import { transition } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { windowed } from '../../src/weights/chunks.ts';
import type { JobContext } from './context.ts';

/** An actor that has not failed for so long is well again. */
const RESTART_NOTICE_MS = 60_000;
/** Pauses between two tries to begin a job's work. */
const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 10_000;

/**
 * Jobs that a node takes at once: one after the other, a hundred jobs of a node that died would wait for the sum of all round trips, and one
 * that is slow to load for all others.
 */
const TAKEN_AT_ONCE = 16;

/** Does `take` for each of the jobs, some at a time. @param take - never rejects for the trouble of one job */
export function takeEach<E>(jobs: readonly E[], take: (job: E) => Promise<void>): Promise<void> {
  return windowed(jobs.length, TAKEN_AT_ONCE, (index) => take(jobs[index]!));
}

interface LeasedJob<M> {
  lease: Lease;
  actor: ActorRef<M>;
}

/** The jobs whose lease this node holds for one purpose, each with the actor that works for it. */
export class JobLeases<M> {
  readonly #context: JobContext;
  readonly #purpose: string;
  readonly #held = new Map<string, LeasedJob<M>>();
  readonly #taking = new Set<string>();
  /** Jobs whose actor has not ended yet, also when that takes longer than `stop` waits: the next one has its name. */
  readonly #releasing = new Set<string>();
  /** Jobs that could not be begun: when they are tried again. */
  readonly #pauses = new Map<string, { wait: number; until: number }>();
  /** Jobs whose actor was restarted a short while ago. */
  readonly #restarts = new Map<string, AbortController>();
  #stopped = false;

  /** @param purpose first part of the leases' keys: `<purpose>.<job>`. */
  constructor(context: JobContext, purpose: string) {
    this.#context = context;
    this.#purpose = purpose;
  }

  /** The jobs whose lease is held. */
  get jobs(): string[] {
    return [...this.#held.keys()];
  }

  /** The jobs whose lease somebody holds. */
  async leased(): Promise<Set<string>> {
    const prefix = `${this.#purpose}.`;
    const keys = await this.#context.bus.kv(LEASES).keys(`${prefix}*`);
    return new Set(keys.map((key) => key.slice(prefix.length)));
  }

  get #subject(): string {
    return `${this.#purpose} actor`;
  }

  get(job: string): ActorRef<M> | undefined {
    return this.#held.get(job)?.actor;
  }

  /**
   * Takes the job's lease when nobody has it, and does `work` under it. The actor that it returns keeps the lease until it is
   * released or lost; without one the lease is given back. What `work` throws is logged: whoever takes tries again later.
   */
  async acquire(job: string, work: (lease: Lease) => Promise<ActorRef<M> | undefined>): Promise<void> {
    if (this.#stopped || this.#held.has(job) || this.#taking.has(job) || this.#releasing.has(job)) return;
    if ((this.#pauses.get(job)?.until ?? 0) > this.#context.clock.monotonic()) return;
    this.#taking.add(job);
    try {
      const lease = await acquireLease(this.#context, `${this.#purpose}.${job}`, { owner: this.#context.id });
      if (!lease) return;
      try {
        const actor = await this.#begin(job, () => work(lease));
        if (!actor) return;
        const holding = { lease, actor };
        this.#held.set(job, holding);
        // A node before this one may have reported restarts, and have died before it could tell that they were over.
        this.#calm(job);
        void lease.lost.then(async () => {
          if (this.#held.get(job) === holding) await this.release(job);
        });
      } finally {
        if (this.#held.get(job)?.lease !== lease) await lease.release();
      }
      if (this.#stopped) await this.release(job);
    } catch (error) {
      this.#context.log.error({ err: error, job }, `the job could not be taken (${this.#purpose})`);
    } finally {
      this.#taking.delete(job);
    }
  }

  /** What cannot be begun for good ends the job; anything else is noticed, and tried again after a growing pause. */
  async #begin<R>(job: string, work: () => Promise<R>): Promise<R> {
    try {
      const begun = await work();
      this.#pauses.delete(job);
      return begun;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      const wait = Math.min(MAX_PAUSE_MS, 2 * (this.#pauses.get(job)?.wait ?? MIN_PAUSE_MS / 2));
      this.#pauses.set(job, { wait, until: this.#context.clock.monotonic() + wait });
      if (isPermanent(error)) await this.#fail(job, error);
      else this.#notice(job, error);
      throw error;
    }
  }

  /** Ends the job's actor, then gives the lease back. */
  async release(job: string): Promise<void> {
    const holding = this.#held.get(job);
    if (!holding) return;
    this.#held.delete(job);
    this.#context.runtimes.forget(job);
    this.#releasing.add(job);
    const released = holding.actor.stop().then(() => holding.lease.release());
    void Promise.allSettled([holding.actor.ended, released]).then(() => this.#releasing.delete(job));
    await released;
  }

  /** How the job's actor is to be spawned: its restarts are noticed, and one that is given up ends the job or frees it for another. */
  supervised(job: string): Required<Pick<SpawnOptions, 'onRestart' | 'onFailed'>> {
    return {
      onRestart: (error) => this.#notice(job, error),
      onFailed: (error) => {
        this.giveUp(job, error).catch((thrown: unknown) =>
          this.#context.log.error({ err: thrown, job }, `the job could not be given up (${this.#purpose})`),
        );
      },
    };
  }

  /** A notice of the job, which is over when nothing has failed for a while. */
  #notice(job: string, error: MillraceError): void {
    const { notices, id } = this.#context;
    void notices.report(job, { code: 'ACTOR_RESTARTED', subject: this.#subject, message: `on node ${id}: ${error.message}` });
    this.#calm(job);
  }

  /** Ends the notice of restarts once nothing has failed from now on for a while. */
  #calm(job: string): void {
    const { notices, clock } = this.#context;
    this.#restarts.get(job)?.abort();
    const calm = new AbortController();
    this.#restarts.set(job, calm);
    clock.sleep(RESTART_NOTICE_MS, calm.signal).then(
      () => {
        this.#restarts.delete(job);
        void notices.resolve(job, 'ACTOR_RESTARTED', this.#subject);
      },
      () => undefined,
    );
  }

  async #fail(job: string, error: MillraceError): Promise<void> {
    const { jobs, clock, id } = this.#context;
    const message = `${error.message} (${this.#purpose} actor on node ${id}; its log says more)`;
    await jobs.update(job, (record) =>
      isEnded(record.state) ? undefined : transition(record, 'FAILED', { now: clock.now(), error: message }),
    );
  }

  /**
   * For an actor that failed again and again. Where trying again may help (a server is away), the lease is given back and
   * somebody takes the job anew; otherwise the job ends as FAILED with what the actor said.
   */
  async giveUp(job: string, error: MillraceError): Promise<void> {
    try {
      if (error.retryable) this.#notice(job, error);
      else await this.#fail(job, error);
    } finally {
      // Also when the record cannot be read or written.
      await this.release(job);
    }
  }

  /** Releases the jobs whose record is gone or cannot be read any more: nobody may work for them. */
  async releaseUnknown(): Promise<void> {
    const { jobs, log } = this.#context;
    for (const job of [...this.#held.keys()]) {
      if (jobs.get(job) !== undefined || (await jobs.fetch(job)) !== undefined) continue;
      const problem = jobs.unreadable().find(({ id }) => id === job)?.problem ?? 'it was removed';
      log.error({ job, problem }, `the job's record is gone: work for it ends (${this.#purpose})`);
      await this.release(job);
    }
  }

  /** Releases all, and takes no more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const calm of this.#restarts.values()) calm.abort();
    for (const job of [...this.#held.keys()]) await this.release(job);
  }
}
