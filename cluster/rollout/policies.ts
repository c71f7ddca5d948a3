import { MillraceError } from '../../src/errors.ts';
import { decodeState, type ExplorationState } from '../../src/explore/state.ts';
import type { PolicyLease, PolicySource } from '../../src/flow/policies.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { floatsFromBytes } from '../../src/policy/float-bytes.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { ActingPolicy } from '../../src/policy/kind.ts';
import { checkPolicyKind } from '../../src/weights/manifest.ts';
import { WEIGHTS_DAMAGED } from '../jobs/damaged-weights.ts';
import { PolicyVersions } from './policy-versions.ts';

/** How long a flow's start may wait for a policy version that was announced. */
const VERSION_TIMEOUT_MS = 20_000;
/** Pause before weights that could not be fetched are fetched again, while somebody waits for them. */
const FETCH_AGAIN_MS = 500;

/** Options of {@link FollowedPolicy}. */
export interface FollowOptions {
  /** Name of the job's policy kind: weights of another one are refused. */
  kind: string;
  /** Makes a policy of the job's specification, whose weights are loaded before it is used. */
  create: () => ActingPolicy;
  /** Flows of the job ask what exploration knows: it is fetched with the weights. Default false. */
  explores?: boolean;
}

/** One job's policy in this process: follows the manifest, fetches new weights, and lets flows swap at their next start. */
export class FollowedPolicy implements PolicySource {
  readonly #context: NodeContext;
  readonly #job: string;
  readonly #versions: PolicyVersions;
  #announced: WeightManifest | undefined;
  #fetching: Promise<void> | undefined;
  /** What was pinned to last: flows of an evaluation begin together, and between two of them no lease may be left. */
  #pinned: { version: number; values: Promise<Float32Array> } | undefined;
  #waiters = new Set<() => void>();
  #stopWatch: (() => void) | undefined;
  #closed = false;
  readonly #kind: string;
  readonly #explores: boolean;
  /** Why the newest announced version is not loaded, now or later. */
  #refused: MillraceError | undefined;

  private constructor(context: NodeContext, job: string, { kind, create, explores = false }: FollowOptions) {
    this.#kind = kind;
    this.#explores = explores;
    this.#context = context;
    this.#job = job;
    this.#versions = new PolicyVersions(create);
  }

  /** Follows the versions of a job's policy until it is closed. */
  static async open(context: NodeContext, job: string, options: FollowOptions): Promise<FollowedPolicy> {
    const policy = new FollowedPolicy(context, job, options);
    policy.#stopWatch = await context.weights.watch(job, (manifest) => {
      if (policy.#announced && manifest.version <= policy.#announced.version) return;
      policy.#announced = manifest;
      policy.#refused = policy.#refusal(manifest);
      if (policy.#refused) policy.#wake();
      else policy.#fetching ??= policy.#follow();
    });
    return policy;
  }

  async acquire(version: number, pinned: boolean): Promise<PolicyLease> {
    const ready = this.#versions.acquire(version, pinned);
    if (ready) return ready;
    if (!pinned || version > this.#versions.newest) await this.#reach(version);
    return this.#versions.acquire(version, pinned) ?? this.#leasePinned(version);
  }

  /** Flows in progress keep their leases; nothing new is fetched, and who waits for a version is told that there is none. */
  close(): void {
    this.#closed = true;
    this.#pinned = undefined;
    this.#stopWatch?.();
    this.#versions.close();
    this.#wake();
  }

  /** Weights of another policy kind would be numbers without a meaning here. */
  #refusal(manifest: WeightManifest): MillraceError | undefined {
    try {
      checkPolicyKind(manifest, this.#kind);
      return undefined;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      this.#context.log.error({ err: error, job: this.#job }, 'weights are refused');
      return error;
    }
  }

  /** Loads announced versions until the newest one is in memory. */
  async #follow(): Promise<void> {
    let manifest = this.#announced;
    try {
      while (!this.#closed && !this.#refused && this.#announced && this.#announced.version > this.#versions.newest) {
        manifest = this.#announced;
        const [values, exploration] = await Promise.all([this.#values(manifest), this.#exploration(manifest)]);
        if (this.#closed) return;
        this.#versions.publish(manifest.version, values, { exploration, averaged: manifest.average !== undefined });
        this.#wake();
      }
    } catch (error) {
      if (manifest) void this.#reportDamage(error, manifest);
      this.#context.log.warn(
        { err: error, job: this.#job },
        'weights could not be fetched; they are tried again when they are needed',
      );
      await this.#context.clock.sleep(FETCH_AGAIN_MS);
    } finally {
      this.#fetching = undefined;
      // Who waits for a version that was not fetched has it fetched again.
      this.#wake();
    }
  }

  /** So that the trainer, which has them in memory, publishes them again. */
  async #reportDamage(thrown: unknown, { version }: WeightManifest): Promise<void> {
    const { code, message } = MillraceError.from(thrown);
    if (code !== 'data_loss' && code !== 'not_found') return;
    // To a process that stood still, or hears of versions late, weights are gone that nobody keeps any more.
    const newest = await this.#context.weights.latest(this.#job).catch(() => undefined);
    if (this.#closed || (newest && newest.manifest.version > version)) return;
    void this.#context.notices.report(this.#job, {
      code: WEIGHTS_DAMAGED,
      message: `weights in stream WEIGHTS cannot be read: ${message}; the parameter server publishes the version again while it has it in memory`,
    });
  }

  async #leasePinned(version: number): Promise<PolicyLease> {
    if (this.#pinned?.version !== version) this.#pinned = { version, values: this.#pinnedValues(version) };
    const { values } = this.#pinned;
    try {
      return this.#versions.leasePinned(version, await values);
    } catch (thrown) {
      if (this.#pinned?.values === values) this.#pinned = undefined;
      throw thrown;
    }
  }

  async #pinnedValues(version: number): Promise<Float32Array> {
    const manifest = await this.#context.weights.manifest(this.#job, version);
    if (!manifest) {
      throw new MillraceError('unavailable', `Version ${version} of job ${this.#job} is no longer published.`, {
        retryable: false,
      });
    }
    checkPolicyKind(manifest, this.#kind);
    return this.#values(manifest, manifest.average ? 'average' : 'weights');
  }

  async #values(manifest: WeightManifest, part: 'weights' | 'average' = 'weights'): Promise<Float32Array> {
    return floatsFromBytes(await this.#context.weights.fetch(manifest, part));
  }

  /** What the version's flows explore with. An evaluation, pinned to its version, does not explore. */
  async #exploration(manifest: WeightManifest): Promise<ExplorationState | undefined> {
    if (!this.#explores || manifest.exploration === undefined) return undefined;
    return decodeState(await this.#context.weights.fetch(manifest, 'exploration'));
  }

  async #reach(version: number): Promise<void> {
    const { clock } = this.#context;
    const deadline = clock.monotonic() + VERSION_TIMEOUT_MS;
    while (this.#versions.newest < version) {
      const left = deadline - clock.monotonic();
      if (this.#closed) throw new MillraceError('cancelled', `Job ${this.#job} has ended.`);
      if (this.#refused) throw this.#refused;
      if (left <= 0) {
        throw new MillraceError(
          'unavailable',
          `Version ${version} of job ${this.#job} did not arrive within ${VERSION_TIMEOUT_MS} ms.`,
        );
      }
      if (this.#announced && this.#announced.version > this.#versions.newest) this.#fetching ??= this.#follow();
      let stop = (): void => {};
      await new Promise<void>((resolve) => {
        this.#waiters.add(resolve);
        stop = clock.after(left, resolve);
      });
      stop();
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters) resolve();
    this.#waiters.clear();
  }
}
