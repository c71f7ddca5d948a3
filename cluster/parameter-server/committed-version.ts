import type { BlobPart, VersionBlobs, WeightChannel } from '../../src/weights/weight-channel.ts';
import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { NodeContext } from '../runtime/context.ts';
import { WEIGHTS_DAMAGED } from '../jobs/damaged-weights.ts';

/** A manifest with its revision and blobs. */
export interface Committed {
  manifest: WeightManifest;
  revision: number;
  /** Not to be changed. */
  blobs: VersionBlobs;
}

/**
 * The version that a job's trainer committed last, with its blobs. It outlives the trainer's restarts, so that whoever deletes
 * stream WEIGHTS or bucket `policies` under a running job does not end it: the version is published again from here.
 */
export class CommittedVersion {
  readonly #weights: WeightChannel;
  readonly #job: string;
  readonly #log: NodeContext['log'];
  readonly #notices: NodeContext['notices'];
  #kept: Committed | undefined;

  constructor({ weights, log, notices }: Pick<NodeContext, 'weights' | 'log' | 'notices'>, job: string) {
    this.#weights = weights;
    this.#job = job;
    this.#log = log;
    this.#notices = notices;
  }

  /** Commits a version; see {@link WeightChannel.commit}. Returns its revision. */
  async commit(manifest: WeightManifest, blobs: VersionBlobs, revision: number): Promise<number> {
    const committed = await this.#weights.commit(manifest, blobs, revision);
    this.#kept = { manifest, revision: committed, blobs };
    return committed;
  }

  /** Commits another ledger for the same version; see {@link WeightChannel.amend}. Returns the new revision. */
  async amend(manifest: WeightManifest, revision: number): Promise<number> {
    const amended = await this.#weights.amend(manifest, revision);
    if (this.#kept?.manifest.version === manifest.version) this.#kept = { ...this.#kept, manifest, revision: amended };
    return amended;
  }

  /** The newest version, as JetStream has it or, where it is gone from there, as it was committed here; undefined when there is none. */
  async read(): Promise<Committed | undefined> {
    const latest = await this.#weights.latest(this.#job);
    if (latest === undefined) return this.#kept && this.publishAgain();
    try {
      this.#kept = { ...latest, blobs: await this.#fetch(latest.manifest) };
      // Those before it may have been reported, and nobody was there to look.
      void this.#notices.resolve(this.#job, WEIGHTS_DAMAGED);
      return this.#kept;
    } catch (thrown) {
      if (MillraceError.from(thrown).retryable || this.#kept?.manifest.version !== latest.manifest.version) throw thrown;
      return this.publishAgain();
    }
  }

  /** Publishes the version again, after chunks of it or its manifest were deleted. Undefined when none was committed here. */
  async publishAgain(): Promise<Committed | undefined> {
    if (this.#kept === undefined) return undefined;
    const { manifest, blobs } = this.#kept;
    this.#log.warn({ job: this.#job, version: manifest.version }, 'the weights are published again');
    this.#kept = { manifest, blobs, revision: await this.#weights.republish(manifest, blobs) };
    return this.#kept;
  }

  /**
   * Looks at the version as JetStream has it, publishes it again when chunks of it are damaged or gone, and resolves the notice. When
   * JetStream does not answer, whoever still cannot read the version reports it again.
   */
  async repair(): Promise<void> {
    if (this.#kept === undefined) return;
    try {
      await this.#fetch(this.#kept.manifest).catch((thrown: unknown) => {
        if (MillraceError.from(thrown).retryable) throw thrown;
        return this.publishAgain();
      });
      await this.#notices.resolve(this.#job, WEIGHTS_DAMAGED);
    } catch (error) {
      this.#log.warn({ err: error, job: this.#job }, 'damaged weights could not be published again');
    }
  }

  async #fetch(manifest: WeightManifest): Promise<VersionBlobs> {
    const fetched = (part: BlobPart): Promise<Uint8Array> => this.#weights.fetch(manifest, part);
    const [weights, optimizer, average, exploration] = await Promise.all([
      fetched('weights'),
      fetched('optimizer'),
      manifest.average && fetched('average'),
      manifest.exploration && fetched('exploration'),
    ]);
    return { weights, optimizer, average, exploration };
  }
}
