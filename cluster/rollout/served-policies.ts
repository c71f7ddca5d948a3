import { loadStoredCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { ActingPolicy, PolicyActor } from '../../src/policy/kind.ts';
import { actorOf } from '../../src/policy/registry.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';

/** A published policy with what its flows need. */
export interface ServedPolicy {
  runtime: JobRuntime;
  context: unknown;
  actor: PolicyActor;
  policy: ActingPolicy;
}

interface Slot {
  job: string;
  loading: Promise<ServedPolicy>;
  users: number;
  /** When it was last asked for, in turns. */
  used: number;
}

/** Policies that are kept in memory: a live one and a candidate of a few agents. */
const MOST_LOADED = 8;

/** The published policies that a rollout worker serves, each loaded from its checkpoint once. Those that nobody uses make room for others. */
export class ServedPolicies {
  readonly #context: NodeContext;
  readonly #slots = new Map<string, Slot>();
  #turn = 0;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /**
   * Uses a policy; it stays in memory until `work` has ended.
   * @param digest - of the manifest of its checkpoint
   */
  async use<R>(record: JobRecord, digest: string, work: (policy: ServedPolicy) => Promise<R>): Promise<R> {
    const key = `${record.id} ${digest}`;
    const slot = this.#slots.get(key) ?? this.#open(key, record, digest);
    this.#turn += 1;
    slot.used = this.#turn;
    slot.users += 1;
    try {
      return await work(await slot.loading);
    } finally {
      slot.users -= 1;
      this.#makeRoom();
    }
  }

  /** Frees what nobody uses. */
  close(): void {
    for (const [key, slot] of this.#slots) if (slot.users === 0) this.#drop(key, slot);
  }

  #open(key: string, record: JobRecord, digest: string): Slot {
    const slot: Slot = { job: record.id, loading: this.#load(record, digest), users: 0, used: 0 };
    this.#slots.set(key, slot);
    // The next task tries again.
    slot.loading.catch(() => this.#slots.get(key) === slot && this.#slots.delete(key));
    return slot;
  }

  async #load(record: JobRecord, digest: string): Promise<ServedPolicy> {
    const { artifacts, runtimes } = this.#context;
    const runtime = await runtimes.get(record);
    const { kind, kinds, spec, outline } = runtime;
    const checkpoint = await loadStoredCheckpoint(artifacts, digest, { kinds });
    const difference = kind.name === checkpoint.spec.kind ? kind.difference(checkpoint.spec, spec) : undefined;
    if (kind.name !== checkpoint.spec.kind || difference !== undefined)
      throw new MillraceError(
        'data_loss',
        `checkpoint ${digest} is not of a policy of job "${record.id}"; publish another version`,
        {
          field: 'version',
        },
      );
    const context = await runtime.context();
    const actor = await this.#context.outside(actorOf(kind, spec, outline));
    const policy = actor.policy();
    policy.load(checkpoint.parameters.values);
    return { runtime, context, actor, policy };
  }

  #makeRoom(): void {
    const idle = [...this.#slots].filter(([, { users }]) => users === 0).sort(([, a], [, b]) => a.used - b.used);
    for (const [key, slot] of idle.slice(0, Math.max(0, this.#slots.size - MOST_LOADED))) this.#drop(key, slot);
  }

  #drop(key: string, slot: Slot): void {
    this.#slots.delete(key);
    void slot.loading.then(({ policy }) => policy.dispose()).catch(() => undefined);
    const { jobs, runtimes } = this.#context;
    const isUsed = [...this.#slots.values()].some(({ job }) => job === slot.job);
    const record = jobs.get(slot.job)?.record;
    // Of a job that trains, others have it loaded.
    if (!isUsed && (record === undefined || isEnded(record.state))) runtimes.forget(slot.job);
  }
}
