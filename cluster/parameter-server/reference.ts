import { loadStoredCheckpoint } from '../../src/checkpoint/load.ts';
import { MillraceError } from '../../src/errors.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { bytesOfFloats, floatsFromBytes } from '../../src/policy/float-bytes.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';
import { firstParameters } from './first-version.ts';

type Context = Pick<NodeContext, 'artifacts' | 'files' | 'stateDir' | 'weights'>;

/** The policy that a KL penalty holds on to: the initial one, or the newest whose version is a multiple of some number. */
export class ReferencePolicy {
  readonly #context: Context;
  readonly #record: JobRecord;
  readonly #policy: Pick<JobRuntime, 'kind' | 'kinds' | 'spec'>;
  /** Rounds after which it is renewed; undefined: never, or there is none. */
  readonly #every: number | undefined;
  #held: { version: number; weights: Uint8Array } | undefined;

  constructor(context: Context, record: JobRecord, policy: Pick<JobRuntime, 'kind' | 'kinds' | 'spec'>) {
    this.#context = context;
    this.#record = record;
    this.#policy = policy;
    const { algorithm } = record.config;
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

  /**
   * What a checkpoint of `version` is to hold of the reference: undefined where the reference is that version, the first weights or nothing.
   */
  async forCheckpoint(version: number): Promise<Float32Array | undefined> {
    const wanted = this.#versionAt(version);
    if (wanted === 0 || wanted === version) return undefined;
    return floatsFromBytes((await this.at(version)).weights);
  }

  /** Whether a version's weights must not be deleted yet. */
  keeps(version: number): boolean {
    return this.#every !== undefined && version % this.#every === 0 && version >= (this.#held?.version ?? 0);
  }

  #versionAt(version: number): number {
    return this.#every === undefined ? 0 : version - (version % this.#every);
  }

  async #fetch(version: number): Promise<Uint8Array> {
    const { kind, kinds, spec } = this.#policy;
    const { weights } = this.#context;
    const { id, forked } = this.#record;
    if (forked !== undefined && version > 0 && version < forked.version) {
      const { reference } = await loadStoredCheckpoint(this.#context.artifacts, forked.digest, { kinds });
      if (reference !== undefined) return bytesOfFloats(reference).slice();
    }
    if (version === 0) {
      const drawn = kind.initial(spec) as Parameters;
      return bytesOfFloats((await firstParameters(this.#context, this.#record, { kinds, drawn })).values).slice();
    }
    const manifest = await weights.manifest(id, version);
    if (!manifest) {
      throw new MillraceError('not_found', `job ${id} has no version ${version} any more, the reference of its KL penalty`);
    }
    return weights.fetch(manifest, 'weights');
  }
}
