import { isEnded } from '../../src/jobs/state.ts';
import type { JobEntry } from '../jobs/directory.ts';
import { IdleJobs } from '../jobs/idle-jobs.ts';
import { JobLeases, takeEach } from '../jobs/job-leases.ts';
import type { NodeContext } from '../runtime/context.ts';
import { settleLedger } from './settle-ledger.ts';
import type { LearnerPool } from './learner-pool.ts';
import { needsTrainer, type Placement } from './placement.ts';
import { RoundCommitter } from './round-committer.ts';
import type { TrainerMessage } from './trainer-message.ts';
import { Trainer } from './trainer.ts';

/** How long a trainer has to settle its ledger: one that waits for learners, or is between two lives, is stopped and its ledger is settled for it. */
const END_MS = 5_000;

/** The trainers of a parameter server: one for each job whose lease it holds. */
export class Trainers {
  readonly #context: NodeContext;
  readonly #pool: LearnerPool;
  readonly #placement: Placement;
  readonly #held: JobLeases<TrainerMessage>;
  readonly #ending = new Set<string>();
  readonly #idle: IdleJobs;

  constructor(context: NodeContext, { pool, placement }: { pool: LearnerPool; placement: Placement }) {
    this.#context = context;
    this.#pool = pool;
    this.#placement = placement;
    this.#idle = new IdleJobs(context.clock);
    this.#held = new JobLeases<TrainerMessage>(context, 'trainer');
  }

  /**
   * Starts a trainer for a job that runs, writes the checkpoint that a paused or preempted one lacks, or settles the ledger of one that has ended, where nobody
   * else holds its lease.
   */
  async take({ record }: JobEntry): Promise<void> {
    const context = this.#context;
    if (!needsTrainer(record)) return;
    await this.#held.acquire(record.id, async (lease) => {
      if (isEnded(record.state)) {
        await settleLedger(context, record);
        return undefined;
      }
      const runtime = await context.runtimes.get(record);
      if (record.state !== 'RUNNING') {
        const committer = new RoundCommitter({ context, runtime, lease, record });
        await committer.restore();
        await committer.saveAtPause();
        return undefined;
      }
      const trainer = new Trainer({ context, runtime, lease, record }, this.#pool);
      const capacity = 8 * (record.config.rollout.maxStaleness + 2) * record.config.rollout.groupsPerRound + 1024;
      return context.actors.spawn<TrainerMessage>('parameter-server', record.id, trainer, {
        mailboxCapacity: capacity,
        ...this.#held.supervised(record.id),
      });
    });
  }

  /** Takes those of the jobs that need a trainer, have none, and are for this server. */
  async takeAll(entries: readonly JobEntry[]): Promise<void> {
    let without = entries.filter(({ record }) => needsTrainer(record) && this.#held.get(record.id) === undefined);
    if (without.length > 0 && !this.#placement.isAlone) {
      const leased = await this.#held.leased();
      const free = without.map(({ record }) => record).filter(({ id }) => !leased.has(id));
      const chosen = this.#placement.choose(free, this.#held.jobs);
      without = without.filter(({ record: { id } }) => chosen.has(id));
    }
    await takeEach(without, (entry) => this.take(entry));
  }

  /** Gives up the trainers of jobs that have not run for a while: their weights and optimisers are committed. */
  async giveUpIdle(): Promise<void> {
    const isIdle = (job: string): boolean => {
      const record = this.#context.jobs.get(job)?.record;
      return record !== undefined && !isEnded(record.state) && record.state !== 'RUNNING' && !record.checkpointDue;
    };
    for (const job of this.#idle.due(this.#held.jobs, isIdle)) await this.#held.release(job);
  }

  /** Ends the trainers of jobs that ended while their trainer was being made, and was not told. */
  async endMissed(): Promise<void> {
    for (const job of this.#held.jobs) {
      const entry = this.#context.jobs.get(job);
      if (entry && isEnded(entry.record.state)) await this.jobChanged(entry);
    }
  }

  /** A job has changed: its trainer is told, ended, or started. */
  async jobChanged(entry: JobEntry): Promise<void> {
    const { record } = entry;
    const trainer = this.#held.get(record.id);
    if (!trainer) {
      if (needsTrainer(record) && this.#placement.isForThis(record.id, this.#held.jobs)) await this.take(entry);
      return;
    }
    if (!isEnded(record.state)) {
      await trainer.send({ kind: 'job', record });
      return;
    }
    if (this.#ending.has(record.id)) return;
    this.#ending.add(record.id);
    try {
      await trainer.ask<void>((reply) => ({ kind: 'end', record, reply }), END_MS);
    } catch (error) {
      // A round that waits for learners, for instance.
      const message = 'the trainer could not settle its ledger; it is tried again with the next change of the jobs';
      this.#context.log.warn({ err: error, job: record.id }, message);
    } finally {
      this.#ending.delete(record.id);
      await this.#held.release(record.id);
    }
  }

  /** Somebody could not read the newest weights of a job. */
  weightsDamaged(job: string): void {
    this.#held.get(job)?.tell({ kind: 'damaged' });
  }

  /** Gives up trainers of jobs that are gone. */
  releaseUnknown(): Promise<void> {
    return this.#held.releaseUnknown();
  }

  stop(): Promise<void> {
    return this.#held.stop();
  }
}
