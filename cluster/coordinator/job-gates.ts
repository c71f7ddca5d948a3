import type { DispatchProgress } from '../../src/protocol/progress.ts';
import type { BudgetBook } from './budget-book.ts';
import { BudgetGate } from './budget-gate.ts';
import { DiskGate } from './disk-gate.ts';
import { JobHold } from './job-hold.ts';
import type { CoordinatedJob } from './coordinated-job.ts';
import type { SharedLooks } from './shared-looks.ts';
import { StoreGate } from './store-gate.ts';

/** What holds a job's new requests back: the disk, the store, services that do not answer, and budgets. */
export class JobGates {
  readonly #job: CoordinatedJob;
  readonly #looks: SharedLooks;
  readonly #disk: DiskGate;
  readonly #budgets: BudgetGate;
  #store: StoreGate | undefined;
  #hold: JobHold | undefined;

  constructor(job: CoordinatedJob, { looks, budgets }: { looks: SharedLooks; budgets: BudgetBook }) {
    this.#job = job;
    this.#looks = looks;
    this.#budgets = new BudgetGate(job, budgets);
    this.#disk = new DiskGate(job.context, job.id, { free: (folder) => looks.freeBytes(folder) });
  }

  /**
   * Begins to watch, anew in each life of the actor.
   *
   * @param attempt - of the job's evaluations, now
   */
  open(attempt: () => number): void {
    const { context, id, record } = this.#job;
    this.#store = new StoreGate(context, id, { marks: record.config.rollout.storeBacklog, looks: this.#looks });
    this.#hold = new JobHold(context, id, { attempt, looks: this.#looks });
  }

  close(): void {
    if (this.#store === undefined) return;
    this.#store.close();
    this.#hold?.close();
    this.#measure(false);
  }

  /**
   * Requests must wait. Until the record says which streams they are sent into, nobody could tell that one of them was lost: the next look
   * notes them.
   */
  get held(): boolean {
    return this.#job.record.streams === undefined || this.#isFull || this.#hold?.active !== undefined;
  }

  get #isFull(): boolean {
    return this.#disk.full !== undefined || this.#store?.behind !== undefined;
  }

  /** The job is paused: its budget of trajectories has no room for another group. */
  async outOfTrajectories(): Promise<false> {
    await this.#budgets.outOfTrajectories();
    return false;
  }

  /** Looks at disk and store. The disk first: on a full one the bus may not answer. */
  async checkStorage(): Promise<void> {
    await this.#disk.check();
    await this.#store?.check();
    this.#measure(this.#isFull);
  }

  /** Looks at budgets and services; `probe` lets held requests out to try them, while the job runs. A job that has spent a budget is paused. */
  async checkServices(probe: boolean): Promise<void> {
    await this.#budgets.check();
    const { state, cancelRequested } = this.#job.record;
    await this.#hold?.check(probe && state === 'RUNNING' && !cancelRequested);
  }

  /** Whether held requests were lost since this was called last. */
  requestsLost(): boolean {
    return this.#hold?.requestsLost() ?? false;
  }

  holdsRequest(id: string): boolean {
    return this.#hold?.holdsRequest(id) ?? false;
  }

  holdsSequence(sequence: number): boolean {
    return this.#hold?.holdsSequence(sequence) ?? false;
  }

  /** The job ends: nothing is held for it any more. */
  async end(): Promise<void> {
    await this.#hold?.end();
  }

  /** What holds requests back now. */
  progress(): Pick<DispatchProgress, 'store' | 'hold' | 'disk'> {
    return { store: this.#store?.behind, hold: this.#hold?.active, disk: this.#disk.full };
  }

  #measure(held: boolean): void {
    this.#job.context.metrics.set('admission_held', { job: this.#job.id }, Number(held));
  }
}
