import { EVENTS, POLICIES, WEIGHTS } from '../../src/protocol/names.ts';
import type { ActorContext, Behaviour } from '../../src/actor/behaviour.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { RoundMachine, type CompleteRound } from '../../src/jobs/round-machine.ts';
import { isEnded } from '../../src/jobs/state.ts';
import { encodeRows } from '../../src/records/encode.ts';
import type { TrainingProgress } from '../../src/protocol/progress.ts';
import type { AnsweredRequest } from '../jobs/scored-group.ts';
import type { Delivery } from '../runtime/delivery.ts';
import { DONE } from '../runtime/outcome.ts';
import type { Worker } from '../runtime/worker.ts';
import { settleLedger } from './settle-ledger.ts';
import { trainerIntake } from './intake.ts';
import { refillDraws } from '../../src/jobs/round.ts';
import type { LearnerPool } from './learner-pool.ts';
import { madeAnew, RoundCommitter } from './round-committer.ts';
import { RoundReporter } from './round-reporter.ts';
import { workRound, type RoundOutcome } from './round-work.ts';
import { arrived, experienceProblem, withoutExperience, type Group } from './scored.ts';
import { isEvaluated, type TrainerJob } from './trainer-job.ts';
import type { TrainerMessage } from './trainer-message.ts';

/**
 * The parameter server's actor for one job: takes scored groups, has the learners compute the gradients of a complete round,
 * applies one update a round and commits it. Everything it holds can be lost: it starts again from the last committed version,
 * and every group not acknowledged by then is delivered again.
 */
export class Trainer implements Behaviour<TrainerMessage> {
  readonly #job: TrainerJob;
  readonly #pool: LearnerPool;
  readonly #committer: RoundCommitter;
  readonly #reporter: RoundReporter;
  #rounds!: RoundMachine<Group, Delivery>;
  #intake: Worker<AnsweredRequest> | undefined;

  constructor(job: TrainerJob, pool: LearnerPool) {
    // A copy: the record in it is replaced.
    this.#job = { ...job };
    this.#pool = pool;
    this.#committer = new RoundCommitter(this.#job);
    this.#reporter = new RoundReporter(this.#job, pool);
  }

  get #record(): JobRecord {
    return this.#job.record;
  }

  async start(actor: ActorContext<TrainerMessage>): Promise<void> {
    await this.#restore();
    this.#beginRound();
    this.#intake = await trainerIntake(this.#job, actor).start();
    this.#reportProgress();
    actor.waitingFor(`groups of round ${this.#rounds.version + 1}`);
  }

  async receive(message: TrainerMessage, actor: ActorContext<TrainerMessage>): Promise<void> {
    switch (message.kind) {
      case 'group':
        await this.#take(message, actor);
        actor.waitingFor(`groups of round ${this.#rounds.version + 1}`);
        return;
      case 'reset':
        // Groups that were used and not committed are requested again, and come with rows that are stored.
        this.#beginRound();
        return;
      case 'damaged':
        await this.#committer.repair();
        return;
      case 'job':
        await this.#jobChanged(message.record);
        return;
      case 'end':
        this.#job.record = message.record;
        await this.#finish();
        message.reply.resolve();
    }
  }

  async stop(): Promise<void> {
    await this.#intake?.stop(1000);
    this.#intake = undefined;
    // It may go on at another parameter server, whose learners are the same.
    this.#pool.endJob(this.#record.id);
  }

  async #restore(): Promise<void> {
    const committer = this.#committer;
    const wasCommitted = await committer.restore();
    const { version, updateRow } = committer.manifest;
    if (wasCommitted) {
      // The parameter server that committed it may have died before it published these.
      if (updateRow.length > 0) await this.#reporter.publishRow(version, updateRow);
      if (isEvaluated(this.#record, version)) {
        await this.#reporter.publishExploration(committer.exploration, committer.manifest);
      }
    }
    this.#reporter.measureLedger(committer.ledger);
    this.#job.context.log.info({ job: this.#record.id, version }, 'training goes on from this version');
  }

  /** Assembles a round from the last commit: no group that arrived since counts. */
  #beginRound(): void {
    const { rollout, algorithm } = this.#record.config;
    this.#rounds = new RoundMachine({
      ledger: this.#committer.ledger,
      version: this.#committer.manifest.version,
      groupsPerRound: rollout.groupsPerRound,
      maxStaleness: rollout.maxStaleness,
      draws: refillDraws(algorithm),
      now: this.#job.context.clock.monotonic(),
    });
  }

  async #jobChanged(record: JobRecord): Promise<void> {
    const isNew = madeAnew(this.#record.streams, record.streams);
    this.#job.record = record;
    const { version, updateRow } = this.#committer.manifest;
    if (isNew(WEIGHTS) || isNew(POLICIES)) await this.#committer.publishAgain();
    if (isNew(EVENTS) && updateRow.length > 0) await this.#reporter.publishRow(version, updateRow);
    if (record.state !== 'RUNNING') this.#rounds.paused(this.#job.context.clock.monotonic());
    if (record.checkpointDue) await this.#committer.saveAtPause();
  }

  async #take(
    { scored, delivery }: Extract<TrainerMessage, { kind: 'group' }>,
    actor: ActorContext<TrainerMessage>,
  ): Promise<void> {
    if (isEnded(this.#record.state) || this.#rounds.hasEnded(arrived(scored).sequence)) return delivery.settle(DONE);
    const { clock, log } = this.#job.context;
    const { bytes, lost } = await delivery.parts();
    if (bytes) scored.experience = bytes;
    const problem = lost?.reason ?? experienceProblem(scored);
    if (problem !== undefined)
      log.error({ request: scored.request.id, problem }, 'a scored group cannot be trained on: it counts as failed');
    const group = arrived(problem === undefined ? scored : withoutExperience(scored, problem));
    const ageMs = Math.max(0, clock.now() - Number(scored.request.dispatchedAtUs) / 1000);
    this.#rounds.arrived({ group, delivery, requestedAt: clock.monotonic() - ageMs });
    for (let round = this.#rounds.complete; round; round = this.#rounds.complete) await this.#runRound(round, actor);
    const { amendment } = this.#rounds;
    if (amendment) {
      await this.#committer.amend(amendment);
      await this.#ack(this.#rounds.amended());
    }
    this.#reportProgress();
  }

  async #runRound(round: CompleteRound<Group>, actor: ActorContext<TrainerMessage>): Promise<void> {
    const { clock } = this.#job.context;
    const committer = this.#committer;
    const reporter = this.#reporter;
    const version = round.version + 1;
    const gatheredAt = clock.monotonic();
    actor.waitingFor(`gradients of round ${version} from the learners`);
    const outcome = await this.#compute(round, actor.signal);
    const computed = { round, outcome, gatheredAt, computedAt: clock.monotonic() };
    reporter.judge(round);
    const { entropy = 0 } = outcome.statistics;
    const observed = { version, ...(outcome.weight > 0 && { entropy: entropy / outcome.weight }) };
    committer.exploration.observe(
      round.counted.map(({ scored }) => scored),
      observed,
    );
    actor.waitingFor(`the weights of version ${version} to be published`);
    this.#reportProgress({ publishing: true });
    await committer.commit({
      version,
      ledger: round.ledger,
      roundSeconds: (clock.monotonic() - round.startedAt) / 1000,
      updateRow: () => encodeRows('updates', [reporter.row(computed, clock.monotonic())]),
    });
    const committedAt = clock.monotonic();
    const row = reporter.row(computed, committedAt);
    reporter.measure(row, round);
    await this.#ack(this.#rounds.committed(committedAt));
    await reporter.publishRow(version, row);
    if (isEvaluated(this.#record, version)) {
      await reporter.publishExploration(committer.exploration, committer.manifest);
    }
    committer.dropOld();
  }

  #compute(round: CompleteRound<Group>, signal: AbortSignal): Promise<RoundOutcome> {
    const { id, config } = this.#record;
    return workRound(
      round.trained.map(({ scored }) => scored),
      {
        job: id,
        config,
        policyJson: JSON.stringify(this.#job.runtime.spec),
        version: round.version,
        master: this.#committer.master,
        pool: this.#pool,
        reference: () => this.#committer.reference.at(round.version),
        onProgress: (done, total) => this.#reportProgress({ shards: { done, total } }),
        signal,
      },
    );
  }

  /** Acknowledges groups that have ended in the committed ledger. */
  async #ack(deliveries: readonly Delivery[]): Promise<void> {
    this.#reporter.measureLedger(this.#committer.ledger);
    await Promise.all(deliveries.map((delivery) => delivery.settle(DONE)));
  }

  /** The job has ended: no more groups are accepted, and those in hand are counted as failed. */
  async #finish(): Promise<void> {
    await this.stop();
    await settleLedger(this.#job.context, this.#record);
  }

  #reportProgress(more: Partial<TrainingProgress> = {}): void {
    const { groupsPerRound } = this.#record.config.rollout;
    const problem = this.#committer.checkpointProblem;
    this.#reporter.progress({
      round: this.#rounds.version,
      groups: { received: Math.min(this.#rounds.count, groupsPerRound), needed: groupsPerRound },
      ...(problem !== undefined && { problem }),
      ...more,
    });
  }
}
