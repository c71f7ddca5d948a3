import { MillraceError } from '../../src/errors.ts';
import type { ExplorationState } from '../../src/explore/state.ts';
import type { PolicyLease } from '../../src/flow/policies.ts';
import type { ActingPolicy } from '../../src/policy/kind.ts';

interface Slot {
  policy: ActingPolicy;
  version: number;
  exploration: ExplorationState | undefined;
  /** Who may use the instance: flows of training, flows pinned to the version, or both. */
  use: Use;
  leases: number;
}

/** A version with an average has two sets of weights: training acts with the newest ones, what is pinned to the version with the average. */
type Use = 'training' | 'pinned' | 'both';

/**
 * The policy versions of one job in one process: the newest weights for new flows, other ones for as long as a flow uses
 * them. Instances are reused, so there are as many as versions in use at once plus one.
 */
export class PolicyVersions {
  readonly #create: () => ActingPolicy;
  readonly #slots: Slot[] = [];
  #newest: Slot | undefined;
  #closed = false;

  /** @param create makes a policy of the job's specification; its initial weights do not matter. */
  constructor(create: () => ActingPolicy) {
    this.#create = create;
  }

  /** The newest version; -1 before the first `publish`. */
  get newest(): number {
    return this.#newest?.version ?? -1;
  }

  /** Makes `version` the newest: flows that start from now on use it. An older or the same version changes nothing. */
  publish(
    version: number,
    values: Float32Array,
    { exploration, averaged = false }: { exploration?: ExplorationState | undefined; averaged?: boolean } = {},
  ): void {
    if (version > this.newest) this.#newest = this.#load({ version, exploration, use: averaged ? 'training' : 'both' }, values);
  }

  /** Makes a version available for a flow pinned to it, with the average of its weights where it has one. */
  leasePinned(version: number, values: Float32Array): PolicyLease {
    return this.acquire(version, true) ?? this.#lease(this.#load({ version, exploration: undefined, use: 'pinned' }, values));
  }

  /** A lease when the version is in memory, undefined when it has to be fetched first. */
  acquire(version: number, pinned: boolean): PolicyLease | undefined {
    if (!pinned) return this.#newest && this.newest >= version ? this.#lease(this.#newest) : undefined;
    const slot = this.#slots.find((candidate) => candidate.version === version && candidate.use !== 'training');
    return slot && this.#lease(slot);
  }

  /** Frees every instance, those in use as soon as their flows have ended; there are no new leases. */
  close(): void {
    this.#closed = true;
    this.#newest = undefined;
    for (const slot of this.#slots.splice(0)) if (slot.leases === 0) slot.policy.dispose();
  }

  #load(at: Pick<Slot, 'version' | 'exploration' | 'use'>, values: Float32Array): Slot {
    if (this.#closed) throw new MillraceError('cancelled', 'the job has ended: no more versions of its policy are loaded');
    let slot = this.#slots.find((candidate) => candidate.leases === 0 && candidate !== this.#newest);
    if (!slot) {
      slot = { ...at, policy: this.#create(), leases: 0 };
      this.#slots.push(slot);
    }
    slot.policy.load(values);
    return Object.assign(slot, at);
  }

  #lease(slot: Slot): PolicyLease {
    slot.leases += 1;
    let released = false;
    return {
      version: slot.version,
      policy: slot.policy,
      exploration: slot.exploration,
      release: () => {
        if (released) return;
        released = true;
        slot.leases -= 1;
        if (this.#closed && slot.leases === 0) slot.policy.dispose();
      },
    };
  }
}
