import type { VersionBlobs } from '../../src/weights/weight-channel.ts';
import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import { chargedIn, publishCharges, readCharges } from '../jobs/job-charges.ts';
import { saveVersion } from './checkpoints.ts';
import { CommittedVersion } from './committed-version.ts';
import { ExplorationTracker } from './exploration.ts';
import { checkIsNew, firstVersion } from './first-version.ts';
import { Master } from './master.ts';
import { ReferencePolicy } from './reference.ts';
import { needsFirstVersion } from '../../src/jobs/evaluation/plans.ts';
import { hasCheckpoint, isEvaluated, type TrainerJob } from './trainer-job.ts';

/** What a new version is committed with. */
export interface VersionFacts {
  version: number;
  ledger: Ledger;
  /** Training time of the round, in seconds. */
  roundSeconds: number;
  /** Makes the version's row of table `updates`, for a parameter server that takes over before the row is published. */
  updateRow: () => Uint8Array;
}

/**
 * Master weights, optimiser and exploration state of one job, and the version that was committed last. What is not committed
 * can be lost: {@link restore} goes back to the last commit.
 */
export class RoundCommitter {
  readonly reference: ReferencePolicy;
  readonly exploration: ExplorationTracker;
  readonly #job: TrainerJob;
  readonly #committed: CommittedVersion;
  #master!: Master;
  #manifest!: WeightManifest;
  #revision = 0;
  #checkpointProblem: string | undefined;

  constructor(job: TrainerJob) {
    const { context, runtime, record } = job;
    this.#job = job;
    this.#committed = new CommittedVersion(context, record.id);
    this.reference = new ReferencePolicy(context, record, runtime);
    const tools = runtime.outline.tools.map(({ name }) => name);
    this.exploration = new ExplorationTracker(record.id, record.config, tools);
  }

  /** The weights that the next update changes. */
  get master(): Master {
    return this.#master;
  }

  /** The last commit. */
  get manifest(): WeightManifest {
    return this.#manifest;
  }

  /** The ledger of the last commit. */
  get ledger(): Ledger {
    return this.#manifest.ledger ?? emptyLedger();
  }

  /** Why the newest checkpoint could not be written, in words. */
  get checkpointProblem(): string | undefined {
    return this.#checkpointProblem;
  }

  /**
   * Goes on from the last committed version, or commits the first one: version 0, or that of the checkpoint whose training the job goes on with.
   * Returns whether there was a version.
   */
  async restore(): Promise<boolean> {
    const { context, record, runtime } = this.#job;
    const layout = runtime.kind.initial(runtime.spec) as Parameters;
    const latest = await this.#committed.read();
    if (latest) {
      const { weights, optimizer, average, exploration } = latest.blobs;
      // Training changes them in place.
      const copy = { weights: weights.slice(), optimizer: optimizer.slice(), average: average?.slice() };
      this.#master = Master.restore(record.config, layout, latest.manifest, copy);
      this.#manifest = latest.manifest;
      this.#revision = latest.revision;
      this.exploration.restore(exploration);
      return true;
    }
    checkIsNew(record);
    const first = await firstVersion(context, record, { kinds: runtime.kinds, drawn: layout });
    this.exploration.restore(first.exploration);
    this.#master = new Master(record.config, first.parameters, first);
    this.#manifest = this.#manifestOf(first, first.trainSeconds);
    this.#revision = await this.#committed.commit(this.#manifest, this.#blobs(), 0);
    return false;
  }

  /** Commits the master weights as a new version, with its checkpoint where one is due. */
  async commit({ version, ledger, roundSeconds, updateRow }: VersionFacts): Promise<void> {
    const { context, record } = this.#job;
    this.#master.addToAverage(version);
    const charges = await readCharges(context, record);
    const manifest = this.#manifestOf(
      { version, ledger: { ...ledger, ...chargedIn(charges, ledger) } },
      this.#manifest.trainSeconds + roundSeconds,
    );
    manifest.updateRow = updateRow();
    if (hasCheckpoint(record, version) || record.state === 'PAUSED' || record.state === 'QUEUED') await this.#save(manifest);
    this.#revision = await this.#committed.commit(manifest, this.#blobs(), this.#revision);
    this.#manifest = manifest;
    await publishCharges(context, record, charges);
  }

  /** Writes the checkpoint of the last version that a pause is to leave, unless it has one, and notes in the record that it is written. */
  async saveAtPause(): Promise<void> {
    const { context, record } = this.#job;
    const { version } = this.#manifest;
    if (!record.checkpoints.some((entry) => entry.version === version)) await this.#save(this.#manifest);
    await context.jobs.update(record.id, ({ checkpointDue, ...rest }) => (checkpointDue ? rest : undefined));
  }

  /** Commits another ledger for the last version. */
  async amend(ledger: Ledger): Promise<void> {
    const manifest: WeightManifest = { ...this.#manifest, ledger };
    this.#revision = await this.#committed.amend(manifest, this.#revision);
    this.#manifest = manifest;
  }

  /** Publishes the last version again, after its stream or bucket was deleted. */
  async publishAgain(): Promise<void> {
    this.#revision = (await this.#committed.publishAgain())?.revision ?? this.#revision;
  }

  /** Publishes the last version again where its chunks are damaged. */
  repair(): Promise<void> {
    return this.#committed.repair();
  }

  /** Drops weights that no flow in progress, straggler, evaluation or KL penalty can still request. */
  dropOld(): void {
    const { context, record } = this.#job;
    const { maxStaleness } = record.config.rollout;
    const version = this.#manifest.version - maxStaleness - 3;
    if (version < 0 || isEvaluated(record, version) || this.reference.keeps(version)) return;
    if (version === 0 && needsFirstVersion(record)) return;
    context.weights.drop(record.id, version).catch((error: unknown) => {
      context.log.warn({ err: error, job: record.id, version }, 'old weights could not be deleted');
    });
  }

  async #save(manifest: WeightManifest): Promise<void> {
    const { context, record, runtime } = this.#job;
    this.#checkpointProblem = await saveVersion(context, record, {
      ...{ spec: runtime.spec, master: this.#master, manifest },
      exploration: this.exploration.bytes(),
      reference: await this.reference.forCheckpoint(manifest.version),
    });
  }

  #manifestOf(at: { version: number; ledger: Ledger }, trainSeconds: number): WeightManifest {
    const { context, lease, record } = this.#job;
    return this.#master.manifest({ ...at, job: record.id, now: context.clock.now(), fence: lease.token, trainSeconds });
  }

  #blobs(): VersionBlobs {
    return {
      weights: this.#master.weightBytes.slice(),
      optimizer: this.#master.optimizerBytes,
      average: this.#master.averageBytes?.slice(),
      exploration: this.exploration.bytes(),
    };
  }
}

/** Streams and buckets that were made anew between two records of a job. */
export function madeAnew(before: JobRecord['streams'], now: JobRecord['streams']): (name: string) => boolean {
  return (name) => before?.[name] !== undefined && before[name] !== now?.[name];
}
