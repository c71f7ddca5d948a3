import type { WeightChannel } from '../../src/weights/weight-channel.ts';
import { MillraceError } from '../../src/errors.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { bytesOfFloats } from '../../src/policy/float-bytes.ts';
import type { JobRuntime } from '../jobs/runtime.ts';

/** The policy that a KL penalty holds on to: the initial one, or the newest whose version is a multiple of some number. */
export class ReferencePolicy {
  readonly #weights: WeightChannel;
  readonly #job: string;
  readonly #policy: Pick<JobRuntime, 'kind' | 'spec'>;
  /** Rounds after which it is renewed; undefined: never, or there is none. */
  readonly #every: number | undefined;
  #held: { version: number; weights: Uint8Array } | undefined;

  constructor(
    weights: WeightChannel,
    { id, config }: Pick<JobRecord, 'id' | 'config'>,
    policy: Pick<JobRuntime, 'kind' | 'spec'>,
  ) {
    this.#weights = weights;
    this.#job = id;
    this.#policy = policy;
    const { algorithm } = config;
    const { reference } = 'kl' in algorithm && algorithm.kl.coefficient > 0 ? algorithm.kl : { reference: 'initial' as const };
    this.#every = reference === 'initial' ? undefined : reference;
  }

  /** The reference of the round that starts from `version`. */
  async at(version: number): Promise<{ version: number; weights: Uint8Array }> {
    const wanted = this.#versionAt(version);
    const held = this.#held?.version === wanted ? this.#held : { version: wanted, weights: await this.#fetch(wanted) };
    this.#held = held;
    return held;
  }

  /** Whether a version's weights must not be deleted yet. */
  keeps(version: number): boolean {
    return this.#every !== undefined && version % this.#every === 0 && version >= (this.#held?.version ?? 0);
  }

  #versionAt(version: number): number {
    return this.#every === undefined ? 0 : version - (version % this.#every);
  }

  async #fetch(version: number): Promise<Uint8Array> {
    const { kind, spec } = this.#policy;
    // The initial weights are a function of the specification.
    if (version === 0) return bytesOfFloats(kind.initial(spec).values).slice();
    const manifest = await this.#weights.manifest(this.#job, version);
    if (!manifest) {
      throw new MillraceError(
        'not_found',
        `job ${this.#job} has no version ${version} any more, the reference of its KL penalty`,
      );
    }
    return this.#weights.fetch(manifest, 'weights');
  }
}
