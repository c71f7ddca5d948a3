import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import { JobBudget, type BudgetAccount, type JobBudgetPorts } from './job-budget.ts';

/** How often a process looks at what it holds. */
const LOOK_MS = 1_000;
/** What a job has not used for this long is given back. */
const IDLE_MS = 2_000;
/** A block in use is renewed this often; see `BudgetKeeper` for how long a silent one is waited for. */
const RENEW_MS = 5_000;

/** Options of {@link NodeBudgets}. */
export interface NodeBudgetsOptions extends JobBudgetPorts {
  clock: Clock;
  /** Told of exchanges that failed at the wrong time: they are tried again. */
  onError: (error: MillraceError, job: string) => void;
}

interface Kept {
  budget: JobBudget;
  /** Pieces of work that use it now. */
  users: number;
  usedAt: number;
  renewedAt: number;
}

/** The budgets of the jobs that a process works for. */
export class NodeBudgets {
  readonly #options: NodeBudgetsOptions;
  readonly #jobs = new Map<string, Kept>();
  readonly #stop: () => void;

  constructor(options: NodeBudgetsOptions) {
    this.#options = options;
    this.#stop = options.clock.every(LOOK_MS, () => void this.#look());
  }

  /** Does a piece of work of the job with its budget. */
  async use<R>(account: BudgetAccount, work: (budget: JobBudget) => Promise<R>): Promise<R> {
    const kept = this.#of(account);
    kept.users += 1;
    try {
      return await work(kept.budget);
    } finally {
      kept.users -= 1;
      kept.usedAt = this.#options.clock.monotonic();
    }
  }

  /** Gives back what is free, of all jobs. What fails is settled in full by others later. */
  async stop(): Promise<void> {
    this.#stop();
    for (const [job, { budget }] of this.#jobs) await this.#try(job, () => budget.close());
    this.#jobs.clear();
  }

  #of(account: BudgetAccount): Kept {
    let kept = this.#jobs.get(account.job);
    if (kept === undefined) {
      const now = this.#options.clock.monotonic();
      kept = { budget: new JobBudget(account, this.#options), users: 0, usedAt: now, renewedAt: now };
      this.#jobs.set(account.job, kept);
    }
    return kept;
  }

  async #look(): Promise<void> {
    const now = this.#options.clock.monotonic();
    for (const [job, kept] of this.#jobs) {
      if (kept.users === 0 && now - kept.usedAt >= IDLE_MS) {
        await this.#try(job, () => kept.budget.close());
        if (kept.users === 0 && !kept.budget.inUse) this.#jobs.delete(job);
      } else if (now - kept.renewedAt >= RENEW_MS) {
        kept.renewedAt = now;
        await this.#try(job, () => kept.budget.renew());
      }
    }
  }

  async #try(job: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#options.onError(MillraceError.from(thrown), job);
    }
  }
}
