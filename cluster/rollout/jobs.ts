import { keepsArms } from '../../src/config/job/exploration.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { PolicyActor } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';
import { FollowedPolicy } from './policies.ts';

/** What a rollout actor keeps of a job. */
export interface RolloutJob {
  runtime: JobRuntime;
  policy: FollowedPolicy;
  actor: PolicyActor;
}

/** The jobs that a rollout actor has had requests of: each is opened once, and closed when it ends. */
export class RolloutJobs {
  readonly #context: NodeContext;
  readonly #open = new Map<string, Promise<RolloutJob>>();
  readonly #stopChanges: () => void;

  constructor(context: NodeContext) {
    this.#context = context;
    this.#stopChanges = context.jobs.onChange(({ record }) => {
      if (isEnded(record.state)) void this.#forget(record.id);
    });
  }

  /** Opens a job at its first request; where that fails, the next request tries again. */
  of(record: JobRecord): Promise<RolloutJob> {
    const { id } = record;
    let job = this.#open.get(id);
    if (!job) {
      job = this.#load(record);
      job.catch(() => this.#open.delete(id));
      this.#open.set(id, job);
    }
    return job;
  }

  async close(): Promise<void> {
    this.#stopChanges();
    for (const job of this.#open.values()) await closePolicy(job);
  }

  async #load(record: JobRecord): Promise<RolloutJob> {
    const context = this.#context;
    const runtime = await context.runtimes.get(record);
    const { kind, spec, outline } = runtime;
    const actor = await context.outside(actorOf(kind, spec, outline));
    const policy = await FollowedPolicy.open(context, record.id, {
      kind: kind.name,
      create: () => actor.policy(),
      explores: keepsArms(record.config),
    });
    return { runtime, policy, actor };
  }

  async #forget(id: string): Promise<void> {
    const job = this.#open.get(id);
    this.#open.delete(id);
    this.#context.runtimes.forget(id);
    if (job) await closePolicy(job);
  }
}

/** Nothing is left of one that could not be opened. */
async function closePolicy(job: Promise<RolloutJob>): Promise<void> {
  await job.then(({ policy }) => policy.close()).catch(() => {});
}
