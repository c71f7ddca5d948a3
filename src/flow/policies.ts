import type { ExplorationState } from '../explore/state.ts';
import type { ActingPolicy } from '../policy/kind.ts';

/** A policy version in use by one flow; its weights do not change until it is released. */
export interface PolicyLease {
  readonly version: number;
  readonly policy: ActingPolicy;
  /** What exploration knew at this version; absent in jobs without. */
  readonly exploration?: ExplorationState | undefined;
  /** Must be called once when the flow has ended. */
  release(): void;
}

/** Port: where flows get the policy from. */
export interface PolicySource {
  /**
   * The newest version at hand, at least `version`; exactly that one when `pinned`. Waits for it within a bound of the
   * implementation's, then throws `unavailable`.
   */
  acquire(version: number, pinned: boolean): PolicyLease | Promise<PolicyLease>;
}

/** A source that always gives the same weights, whatever version is asked for: evaluating a checkpoint, tests. */
export function fixedPolicy(policy: ActingPolicy, version = 0): PolicySource {
  return { acquire: () => ({ version, policy, release: () => undefined }) };
}
