import { fromBinary } from '@bufbuild/protobuf';
import type { ActorContext, Behaviour } from '../../src/actor/behaviour.ts';
import type { BusMessage, Consumer } from '../../src/bus/bus.ts';
import type { VersionBlobs } from '../../src/weights/weight-channel.ts';
import type { Lease } from '../../src/bus/lease.ts';
import { MillraceError } from '../../src/errors.ts';
import { ScoredGroupSchema, type Ledger, type ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end, hasEnded } from '../../src/jobs/ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { RoundAssembly, type Disposition } from '../../src/jobs/round.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { initialParameters } from '../../src/policy/parameters.ts';
import { encodeRows } from '../../src/records/encode.ts';
import type { UpdateRow } from '../../src/records/tables.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { JobRuntime } from '../jobs/runtime.ts';
import { encodeProgress, progressSubject, type TrainingProgress } from '../../src/protocol/progress.ts';
import { closeBooks } from './books.ts';
import { saveVersion } from './checkpoints.ts';
import { CommittedVersion } from './committed-version.ts';
import { trainerDurable } from '../../src/protocol/trainer-durable.ts';
import { refillDraws, unsuitableTasks } from './dynamic-sampling.ts';
import { ExplorationKeeper } from './exploration.ts';
import { checkIsNew, firstParameters } from './first-version.ts';
import type { LearnerPool } from './learner-pool.ts';
import { Master } from './master.ts';
import { PolicyWatch } from './policy-watch.ts';
import type { TrainerMessage } from './trainer-message.ts';
import { updateRow } from './round-log.ts';
import { ReferencePolicy } from './reference.ts';
import { workRound } from './round-work.ts';
import { arrived, type Group } from './scored.ts';

/**
 * The parameter server's actor for one job: holds the master weights and the optimiser state, assembles rounds from scored
 * groups, has the learners compute the gradients, applies one update a round and commits it. Whatever it holds can be lost:
 * it starts again from the last committed version, and every group not acknowledged by then is delivered again.
 */
export class Trainer implements Behaviour<TrainerMessage> {
  readonly #context: NodeContext;
  readonly #runtime: JobRuntime;
  readonly #pool: LearnerPool;
  readonly #lease: Lease;
  #record: JobRecord;
  #master!: Master;
  #revision = 0;
  #manifest!: WeightManifest;
  readonly #committed: CommittedVersion;
  /** Ledger of the last commit plus what expired or failed since: what a commit without a round may hold. */
  #base!: Ledger;
  #round!: RoundAssembly<Group>;
  /** Deliveries to acknowledge with the next commit, by sequence. */
  #unacked = new Map<number, BusMessage[]>();
  /** Requests that expired or failed since the last round; `uncommitted` since the last commit of any kind. */
  #lost = { expired: 0, failed: 0, uncommitted: 0 };
  /** Groups that count for the round in progress, with and without signal. */
  #counted: Group[] = [];
  #roundStartedAt = 0;
  /** No group has come since the start or a pause: the time until then is not training time. */
  #idle = true;
  #idleSince = 0;
  #consumer: Consumer | undefined;
  /** What people should know of, in words, until it is over. */
  #problem: string | undefined;
  #unsuitable: string | undefined;
  readonly #reference: ReferencePolicy;
  readonly #exploration: ExplorationKeeper;
  readonly #watch: PolicyWatch;

  constructor(context: NodeContext, runtime: JobRuntime, pool: LearnerPool, lease: Lease, record: JobRecord) {
    this.#context = context;
    this.#runtime = runtime;
    this.#pool = pool;
    this.#lease = lease;
    this.#record = record;
    this.#watch = new PolicyWatch(context);
    this.#reference = new ReferencePolicy(context.weights, record, runtime.spec);
    const tools = runtime.spec.tools.map(({ name }) => name);
    this.#committed = new CommittedVersion(context, record.id);
    this.#exploration = new ExplorationKeeper(record.id, record.config, tools);
  }

  get #job(): string {
    return this.#record.id;
  }

  async start(actor: ActorContext<TrainerMessage>): Promise<void> {
    await this.#restore();
    this.#beginRound();
    const durable = { ...trainerDurable(this.#job, this.#record.config), onReset: () => void actor.self.tell({ kind: 'reset' }) };
    this.#consumer = await this.#context.bus.consume(durable, (message) => actor.self.send({ kind: 'group', message }));
    this.#tell();
    actor.waitingFor(`groups of round ${this.#round.version + 1}`);
  }

  async receive(message: TrainerMessage, actor: ActorContext<TrainerMessage>): Promise<void> {
    if (message.kind === 'reset') {
      // What was used and not committed is asked for again, and comes with rows that are stored.
      this.#beginRound();
      return;
    }
    if (message.kind === 'damaged') return this.#committed.repair();
    if (message.kind === 'job') {
      const before = this.#record.streams;
      this.#record = message.record;
      await this.#publishLost(before, message.record.streams);
      if (message.record.state !== 'RUNNING') {
        this.#idle = true;
        this.#idleSince = this.#context.clock.monotonic();
      }
      return;
    }
    if (message.kind === 'end') {
      this.#record = message.record;
      await this.#finish();
      message.reply.resolve();
      return;
    }
    await this.#take(message.message, actor);
    actor.waitingFor(`groups of round ${this.#round.version + 1}`);
  }

  async stop(): Promise<void> {
    await this.#consumer?.stop(1000);
    this.#consumer = undefined;
  }

  /** Goes on from the last committed version, or commits version 0. */
  async #restore(): Promise<void> {
    const { clock } = this.#context;
    const layout = initialParameters(this.#runtime.spec);
    const latest = await this.#committed.read();
    if (latest) {
      const { weights, optimizer, exploration } = latest.blobs;
      // Training changes them in place.
      const copy = { weights: weights.slice(), optimizer: optimizer.slice() };
      this.#master = Master.restore(this.#record.config, layout, latest.manifest, copy);
      this.#manifest = latest.manifest;
      this.#revision = latest.revision;
      this.#exploration.restore(exploration);
      // Whoever committed it may have died before telling.
      if (latest.manifest.updateRow.length > 0) await this.#publishRow(latest.manifest.version, latest.manifest.updateRow);
      if (this.#isEvaluated(latest.manifest.version)) await this.#publishExploration(latest.manifest);
    } else {
      checkIsNew(this.#record);
      this.#exploration.restore(undefined);
      this.#master = new Master(this.#record.config, await firstParameters(this.#context, this.#record, layout));
      this.#manifest = this.#master.manifest({
        job: this.#job,
        version: 0,
        ledger: emptyLedger(),
        now: clock.now(),
        fence: this.#lease.token,
        trainSeconds: 0,
      });
      this.#revision = await this.#committed.commit(this.#manifest, this.#blobs(), 0);
    }
    this.#measureBooks();
    this.#context.log.info({ job: this.#job, version: this.#manifest.version }, 'training goes on from this version');
  }

  /** Assembles a round from what was committed: nothing that came since counts. */
  #beginRound(): void {
    this.#base = this.#manifest.ledger ?? emptyLedger();
    this.#round = new RoundAssembly<Group>({ ledger: this.#base, version: this.#manifest.version, ...this.#bounds });
    this.#unacked.clear();
    this.#lost = { expired: 0, failed: 0, uncommitted: 0 };
    this.#counted = [];
    this.#idle = true;
    this.#idleSince = this.#context.clock.monotonic();
    this.#roundStartedAt = this.#idleSince;
  }

  /** Publishes again what went with a stream or bucket that was deleted, as far as it is known here. */
  async #publishLost(before: JobRecord['streams'], now: JobRecord['streams']): Promise<void> {
    const isNew = (name: string): boolean => before?.[name] !== undefined && before[name] !== now?.[name];
    const { version, updateRow: row } = this.#manifest;
    if (isNew('WEIGHTS') || isNew('policies'))
      this.#revision = (await this.#committed.publishAgain())?.revision ?? this.#revision;
    if (isNew('EVENTS') && row.length > 0) await this.#publishRow(version, row);
  }

  get #bounds(): { groupsPerRound: number; maxStaleness: number; draws: number | undefined } {
    const { rollout, algorithm } = this.#record.config;
    const { groupsPerRound, maxStaleness } = rollout;
    return { groupsPerRound, maxStaleness, draws: refillDraws(algorithm) };
  }

  #blobs(): VersionBlobs {
    return {
      weights: this.#master.weightBytes.slice(),
      optimizer: this.#master.optimizerBytes,
      exploration: this.#exploration.bytes(),
    };
  }

  async #take(message: BusMessage, actor: ActorContext<TrainerMessage>): Promise<void> {
    let scored: ScoredGroup;
    try {
      scored = fromBinary(ScoredGroupSchema, message.data);
      if (!scored.request) throw new MillraceError('invalid_argument', 'it has no request', { field: 'request' });
    } catch (error) {
      message.term(`not a ScoredGroup: ${MillraceError.from(error).message}`);
      return;
    }
    const group = arrived(scored);
    if (isEnded(this.#record.state) || hasEnded(this.#manifest.ledger ?? emptyLedger(), group.sequence)) {
      await message.ack();
      return;
    }
    const held = this.#unacked.get(group.sequence);
    if (held) held.push(message);
    else this.#unacked.set(group.sequence, [message]);
    if (this.#idle) this.#beginTiming(scored);
    this.#note(group, this.#round.offer(group));
    while (this.#round.complete) await this.#runRound(actor);
    if (this.#lost.uncommitted > 0) await this.#commitLedger();
    this.#tell();
  }

  /** Training time starts when the first group of a stretch was asked for. */
  #beginTiming(scored: ScoredGroup): void {
    const { clock } = this.#context;
    this.#idle = false;
    const asked = clock.monotonic() - Math.max(0, clock.now() - Number(scored.request!.dispatchedAtUs) / 1000);
    // A group that was asked for before a pause must not count the pause.
    this.#roundStartedAt = Math.max(asked, this.#idleSince);
  }

  /** Keeps what became of a group; what expired or failed may be committed without a round. */
  #note(group: Group, disposition: Disposition): void {
    if (disposition === 'trained' || disposition === 'filtered') this.#counted.push(group);
    if (disposition === 'filtered' && this.#bounds.draws !== undefined) {
      // It is replaced: admission must hear of it before the round is complete.
      this.#base = end(this.#base, group.sequence, 'filtered', group.trajectories);
      this.#lost.uncommitted += 1;
    } else if (disposition === 'expired') {
      this.#base = end(this.#base, group.sequence, 'expired');
      this.#lost.expired += 1;
      this.#lost.uncommitted += 1;
    } else if (disposition === 'failed') {
      this.#base = end(this.#base, group.sequence, { failed: group.failure ?? 'UNSPECIFIED' });
      this.#lost.failed += 1;
      this.#lost.uncommitted += 1;
    }
  }

  async #runRound(actor: ActorContext<TrainerMessage>): Promise<void> {
    const { clock } = this.#context;
    const round = this.#round;
    const gathered = clock.monotonic();
    actor.waitingFor(`gradients of round ${round.version + 1} from the learners`);
    const { shards, ...report } = await workRound(
      round.groups().map(({ scored }) => scored),
      {
        job: this.#job,
        config: this.#record.config,
        policyJson: JSON.stringify(this.#runtime.spec),
        version: round.version,
        master: this.#master,
        pool: this.#pool,
        reference: () => this.#reference.at(round.version),
        onProgress: (done, total) => this.#tell({ shards: { done, total } }),
        signal: actor.signal,
      },
    );
    const computed = clock.monotonic();
    this.#judgeTasks(round);
    const { round: next, decided } = round.next();
    const version = round.version + 1;
    const counted = this.#counted.map(({ scored }) => scored);
    const { entropy: entropySum = 0 } = report.statistics;
    this.#watch.add(this.#record, counted, version);
    this.#exploration.observe(counted, { version, ...(report.weight > 0 && { entropy: entropySum / report.weight }) });
    actor.waitingFor(`the weights of version ${version} to be published`);
    this.#tell({ publishing: true });
    const manifest = this.#master.manifest({
      job: this.#job,
      version,
      ledger: round.committed(),
      now: clock.now(),
      fence: this.#lease.token,
      trainSeconds: this.#manifest.trainSeconds + (clock.monotonic() - this.#roundStartedAt) / 1000,
    });
    const rowAt = (committed: number): UpdateRow =>
      updateRow({
        job: this.#job,
        config: this.#record.config,
        version,
        groups: this.#counted.map((group) => ({ scored: group.scored, staleness: round.version - group.policyVersion })),
        expired: this.#lost.expired,
        failed: this.#lost.failed,
        sums: report.statistics,
        ...report,
        waitMs: gathered - this.#roundStartedAt,
        computeMs: computed - gathered,
        commitMs: committed - computed,
        roundMs: committed - this.#roundStartedAt,
        learners: this.#pool.learners.length,
        shards,
        now: clock.now(),
      });
    manifest.updateRow = encodeRows('updates', [rowAt(clock.monotonic())]);
    if (this.#isEvaluated(version)) {
      this.#problem = await saveVersion(
        this.#context,
        this.#record,
        this.#runtime.spec,
        this.#master,
        manifest,
        this.#exploration.bytes(),
      );
    }
    this.#revision = await this.#committed.commit(manifest, this.#blobs(), this.#revision);
    const committed = clock.monotonic();

    const row = rowAt(committed);

    this.#measure(row);
    const previous = this.#manifest.version;
    this.#manifest = manifest;
    this.#base = manifest.ledger!;
    this.#lost = { expired: 0, failed: 0, uncommitted: 0 };
    this.#counted = [];
    this.#round = next;
    this.#roundStartedAt = committed;
    for (const { group, disposition } of decided) this.#note(group, disposition);
    await this.#ackEnded();
    await this.#publishRow(version, encodeRows('updates', [row]));
    if (this.#isEvaluated(version)) await this.#publishExploration(manifest);
    this.#forget(previous);
  }

  /** Dynamic sampling that drew all it may and still lacks groups with a signal: the tasks do not suit the policy. */
  #judgeTasks(round: RoundAssembly<Group>): void {
    this.#unsuitable = round.exhausted
      ? unsuitableTasks(
          this.#counted.map(({ scored }) => scored),
          this.#bounds.groupsPerRound,
        )
      : undefined;
    if (this.#unsuitable !== undefined) this.#context.log.warn({ job: this.#job, version: round.version }, this.#unsuitable);
  }

  #measure(row: UpdateRow): void {
    const { metrics } = this.#context;
    const job = this.#job;
    metrics.count('rounds_total', { job });
    metrics.observe('round_seconds', { job }, row.round_ms / 1000);
    metrics.count('round_wait_seconds_total', { job }, row.wait_groups_ms / 1000);
    metrics.set('policy_version', { job }, row.version);
    metrics.set('reward', { job }, row.reward_mean);
    for (const { policyVersion } of this.#counted)
      metrics.observe('staleness_versions', { job }, row.version - 1 - policyVersion);
  }

  /** The books as they were committed, so that nothing counts twice after a restart. */
  #measureBooks(): void {
    const ledger = this.#manifest.ledger ?? emptyLedger();
    for (const outcome of ['trained', 'filtered', 'expired', 'failed'] as const) {
      this.#context.metrics.total('groups_total', { job: this.#job, outcome }, Number(ledger[outcome]));
    }
  }

  /** The same version's row again is dropped on the way, or replaces the first one in the store. */
  async #publishRow(version: number, row: Uint8Array): Promise<void> {
    await this.#context.bus.publish(`event.${this.#job}.update`, row, { id: `${this.#job}:update:${version}` });
  }

  async #publishExploration({ version, committedAtUs }: WeightManifest): Promise<void> {
    const parts = this.#exploration.rows(Number(committedAtUs));
    for (const [part, rows] of parts.entries()) {
      const id = `${this.#job}:exploration:${version}:${part}`;
      await this.#context.bus.publish(`event.${this.#job}.exploration`, rows, { id });
    }
  }

  /** Commits expired and failed requests on their own, so that admission can replace them before the round is complete. */
  async #commitLedger(): Promise<void> {
    const manifest: WeightManifest = { ...this.#manifest, ledger: this.#base };
    this.#revision = await this.#committed.amend(manifest, this.#revision);
    this.#manifest = manifest;
    this.#lost.uncommitted = 0;
    await this.#ackEnded();
  }

  async #ackEnded(): Promise<void> {
    this.#measureBooks();
    const ledger = this.#manifest.ledger!;
    const done = [...this.#unacked].filter(([sequence]) => hasEnded(ledger, sequence));
    for (const [sequence] of done) this.#unacked.delete(sequence);
    await Promise.all(done.flatMap(([, messages]) => messages.map((message) => message.ack())));
  }

  /** The job has ended: nothing more is taken, and what is held is in the books as failed. */
  async #finish(): Promise<void> {
    await this.#consumer?.stop(1000);
    this.#consumer = undefined;
    this.#unacked.clear();
    this.#pool.endJob(this.#job);
    await closeBooks(this.#context, this.#record);
  }

  #isEvaluated(version: number): boolean {
    const { evaluation, rounds } = this.#record.config;
    return version === rounds || (evaluation.every > 0 && version % evaluation.every === 0);
  }

  /** Keeps what flows in progress, stragglers and evaluations may still ask for. */
  #forget(previous: number): void {
    const { maxStaleness } = this.#record.config.rollout;
    const version = previous - maxStaleness - 2;
    if (version < 0 || this.#isEvaluated(version) || this.#reference.keeps(version)) return;
    this.#context.weights.drop(this.#job, version).catch((error: unknown) => {
      this.#context.log.warn({ err: error, job: this.#job, version }, 'old weights could not be deleted');
    });
  }

  #tell(more: Partial<TrainingProgress> = {}): void {
    const progress: TrainingProgress = {
      round: this.#round.version,
      groups: { received: Math.min(this.#round.count, this.#bounds.groupsPerRound), needed: this.#bounds.groupsPerRound },
      learners: this.#pool.learners.length,
      ...((this.#problem ?? this.#unsuitable) !== undefined && { problem: this.#problem ?? this.#unsuitable }),
      ...more,
    };
    this.#context.bus.emit(progressSubject(this.#job), encodeProgress(progress));
  }
}
