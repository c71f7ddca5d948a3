import type { Ledger } from '../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../src/gen/millrace/v1/weights_pb.ts';
import type { CompleteRound } from '../../src/jobs/round-machine.ts';
import { encodeRows } from '../../src/records/encode.ts';
import type { UpdateRow } from '../../src/records/tables.ts';
import { encodeProgress, type TrainingProgress } from '../../src/protocol/progress.ts';
import { eventSubject, progressSubject } from '../../src/protocol/subjects.ts';
import { unsuitableTasks } from './dynamic-sampling.ts';
import type { ExplorationTracker } from './exploration.ts';
import type { LearnerPool } from './learner-pool.ts';
import { PolicyWatch } from './policy-watch.ts';
import { updateRowOf } from './round-log.ts';
import { publishUpdateRow } from './update-row.ts';
import type { RoundOutcome } from './round-work.ts';
import type { Group } from './scored.ts';
import type { TrainerJob } from './trainer-job.ts';

/** A round that was computed. */
export interface ComputedRound {
  round: CompleteRound<Group>;
  outcome: RoundOutcome;
  /** When its groups were complete, in monotonic milliseconds. */
  gatheredAt: number;
  /** When its update was computed. */
  computedAt: number;
}

/** Says how a job's training goes: metrics, progress, rows of tables `updates` and `exploration`, notices. */
export class RoundReporter {
  readonly #job: TrainerJob;
  readonly #pool: Pick<LearnerPool, 'learners'>;
  readonly #watch: PolicyWatch;
  /** Why the tasks do not suit the policy, in words. */
  #unsuitable: string | undefined;

  constructor(job: TrainerJob, pool: Pick<LearnerPool, 'learners'>) {
    this.#job = job;
    this.#pool = pool;
    this.#watch = new PolicyWatch(job.context);
  }

  /** Judges the groups of a round before it is committed. */
  judge({ exhausted, counted, version }: CompleteRound<Group>): void {
    const { context, record } = this.#job;
    const groups = counted.map(({ scored }) => scored);
    this.#unsuitable = exhausted ? unsuitableTasks(groups, record.config.rollout.groupsPerRound) : undefined;
    if (this.#unsuitable !== undefined) context.log.warn({ job: record.id, version }, this.#unsuitable);
    this.#watch.add(record, groups, version + 1);
  }

  /** The row of table `updates` for a round that was committed at `committedAt`, in monotonic milliseconds. */
  row({ round, outcome, gatheredAt, computedAt }: ComputedRound, committedAt: number): UpdateRow {
    const { context, record } = this.#job;
    return updateRowOf({
      ...outcome,
      job: record.id,
      config: record.config,
      version: round.version + 1,
      groups: round.counted.map(({ scored, policyVersion }) => ({ scored, staleness: round.version - policyVersion })),
      expired: round.expired,
      failed: round.failed,
      sums: outcome.statistics,
      waitMs: gatheredAt - round.startedAt,
      computeMs: computedAt - gatheredAt,
      commitMs: committedAt - computedAt,
      roundMs: committedAt - round.startedAt,
      learners: this.#pool.learners.length,
      now: context.clock.now(),
    });
  }

  /** Metrics of a committed round. */
  measure(row: UpdateRow, { counted, version }: CompleteRound<Group>): void {
    const { metrics } = this.#job.context;
    const job = this.#job.record.id;
    metrics.count('rounds_total', { job });
    metrics.observe('round_seconds', { job }, row.round_ms / 1000);
    metrics.count('round_wait_seconds_total', { job }, row.wait_groups_ms / 1000);
    metrics.set('policy_version', { job }, row.version);
    metrics.set('reward', { job }, row.reward_mean);
    for (const { policyVersion } of counted) metrics.observe('staleness_versions', { job }, version - policyVersion);
  }

  /** The ledger as it was committed, so that nothing counts twice after a restart. */
  measureLedger(ledger: Ledger): void {
    const job = this.#job.record.id;
    for (const outcome of ['trained', 'filtered', 'expired', 'failed'] as const) {
      this.#job.context.metrics.total('groups_total', { job, outcome }, Number(ledger[outcome]));
    }
  }

  /** Publishes a version's row of table `updates`. A second one is dropped by its id, or replaces the first in the store. */
  async publishRow(version: number, row: UpdateRow | Uint8Array): Promise<void> {
    const { context, record } = this.#job;
    const bytes = row instanceof Uint8Array ? row : encodeRows('updates', [row]);
    await publishUpdateRow(context.bus, record.id, version, bytes);
  }

  /** Publishes what exploration knew when a version was committed. */
  async publishExploration(keeper: ExplorationTracker, { version, committedAtUs }: WeightManifest): Promise<void> {
    const { context, record } = this.#job;
    for (const [part, rows] of keeper.rows(Number(committedAtUs)).entries()) {
      const id = `${record.id}:exploration:${version}:${part}`;
      await context.bus.publish(eventSubject(record.id, 'exploration'), rows, { id });
    }
  }

  /** Sends how far the round is; what is wrong with its tasks goes with it unless there is another `problem`. */
  progress(progress: Omit<TrainingProgress, 'learners'>): void {
    const { context, record } = this.#job;
    const problem = progress.problem ?? this.#unsuitable;
    const whole: TrainingProgress = {
      ...progress,
      learners: this.#pool.learners.length,
      ...(problem !== undefined && { problem }),
    };
    context.bus.emit(progressSubject(record.id), encodeProgress(whole));
  }
}
