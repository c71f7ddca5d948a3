import { MillraceError } from '../../src/errors.ts';
import { ALERT_SHARE, describeUse, pauseMessage, remedyFor, type BudgetUse } from '../../src/jobs/budgets/status.ts';
import { transition } from '../../src/jobs/record.ts';
import type { BudgetBook } from './budget-book.ts';
import type { CoordinatedJob } from './coordinated-job.ts';

const ALERT = 'BUDGET_ALERT';
const EXHAUSTED = 'BUDGET_EXHAUSTED';

/** Watches the budgets of one job: a notice when one is nearly spent, and a pause when it is. */
export class BudgetGate {
  readonly #job: CoordinatedJob;
  readonly #book: BudgetBook;
  readonly #alerted = new Set<string>();
  /** An actor before this one may have reported what is over. */
  #mayBeLeft = true;

  constructor(job: CoordinatedJob, book: BudgetBook) {
    this.#job = job;
    this.#book = book;
  }

  /** Looks at the budgets of a job that runs. */
  async check(): Promise<void> {
    if (this.#job.record.state !== 'RUNNING') return;
    const uses = await this.#uses();
    if (uses.length === 0) return;
    await this.#alert(uses);
    // Of trajectories only the next group can ask for too many.
    await this.#pause(uses.find(({ exhausted, unit }) => exhausted && unit !== 'trajectories'));
  }

  /** The budget of trajectories has no room for another group. */
  async outOfTrajectories(): Promise<void> {
    await this.#pause((await this.#uses()).find(({ unit }) => unit === 'trajectories'));
  }

  async #uses(): Promise<BudgetUse[]> {
    const { record, context } = this.#job;
    try {
      return await this.#book.uses(record);
    } catch (thrown) {
      // Calls are held to their budgets where they are made.
      context.log.warn({ err: MillraceError.from(thrown), job: record.id }, 'budgets cannot be read; retrying');
      return [];
    }
  }

  async #pause(use: BudgetUse | undefined): Promise<void> {
    if (use === undefined) return;
    const { context, events, id, record } = this.#job;
    const pause = { reason: EXHAUSTED, message: pauseMessage(use, record) } as const;
    await this.#job.update((newest) =>
      newest.state === 'RUNNING' ? transition(newest, 'PAUSED', { now: context.clock.now(), pause }) : undefined,
    );
    const { pause: paused, ranMs } = this.#job.record;
    if (paused === undefined) return;
    this.#mayBeLeft = true;
    await events.publish('paused', `budget:${ranMs}`, `${EXHAUSTED}: ${paused.message}`);
    await context.notices.report(id, { code: EXHAUSTED, message: paused.message });
  }

  async #alert(uses: readonly BudgetUse[]): Promise<void> {
    const { record, context } = this.#job;
    const { notices } = context;
    if (this.#mayBeLeft) {
      this.#mayBeLeft = false;
      await notices.resolveAll(record.id, EXHAUSTED);
      if (this.#alerted.size === 0) await notices.resolveAll(record.id, ALERT);
    }
    for (const use of uses) {
      const subject = `${use.of} ${use.unit}`;
      const isNear = use.limit > 0 && use.spent >= ALERT_SHARE * use.limit;
      if (isNear === this.#alerted.has(subject)) continue;
      if (isNear) {
        this.#alerted.add(subject);
        const message = `spent ${describeUse(use, record)}; at 100 % the job pauses: ${remedyFor(use, record)}`;
        await notices.report(record.id, { code: ALERT, subject, message });
      } else {
        this.#alerted.delete(subject);
        await notices.resolve(record.id, ALERT, subject);
      }
    }
  }
}
