import type { Logger } from 'pino';
import type { VersionBlobs, WeightChannel } from '../../src/bus/weight-channel.ts';
import { MillraceError } from '../../src/errors.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';

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
  readonly #log: Logger;
  #kept: Committed | undefined;

  constructor(weights: WeightChannel, job: string, log: Logger) {
    this.#weights = weights;
    this.#job = job;
    this.#log = log;
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

  async #fetch(manifest: WeightManifest): Promise<VersionBlobs> {
    const [weights, optimizer] = await Promise.all([
      this.#weights.fetch(manifest, 'weights'),
      this.#weights.fetch(manifest, 'optimizer'),
    ]);
    return { weights, optimizer, exploration: manifest.exploration && (await this.#weights.fetch(manifest, 'exploration')) };
  }
}
