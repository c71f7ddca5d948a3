import type { BudgetSettings } from '../../src/jobs/budgets/budget-ledger.ts';
import type { Budget } from '../../src/budget/budget.ts';
import { KvLedger } from '../../src/jobs/budgets/kv-ledger.ts';
import { NodeBudgets } from '../../src/jobs/budgets/node-budgets.ts';
import { callLimits } from '../../src/jobs/budgets/status.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { PriceTable } from '../../src/budget/prices.ts';
import { BUDGETS } from '../../src/protocol/names.ts';
import { randomId } from '../../src/random/id.ts';
import type { JobContext } from './context.ts';

/** Prices are read again after this long. */
const SETTINGS_MS = 10_000;

/** What the calls of one piece of work are paid with. */
export interface WorkSpending {
  budget: Budget;
  prices: PriceTable;
  /** Await it before results are published that say what they cost: the ledger then knows of it. */
  cover: () => Promise<void>;
}

/** The ledgers of the cluster. */
export function budgetLedger({ bus, clock }: Pick<JobContext, 'bus' | 'clock'>): KvLedger {
  return new KvLedger(bus.kv(BUDGETS), clock);
}

/** How a worker that runs code of users pays for its calls. */
export class JobSpending {
  readonly #context: JobContext;
  readonly #ledger: KvLedger;
  readonly #budgets: NodeBudgets;
  #settings: { value: Promise<BudgetSettings>; until: number } | undefined;

  constructor(context: JobContext) {
    const { clock, id, random, log } = context;
    this.#context = context;
    this.#ledger = budgetLedger(context);
    this.#budgets = new NodeBudgets({
      ledger: this.#ledger,
      clock,
      // Each life of a node has blocks of its own: nobody gives back what the life before held.
      holder: `${id}.${randomId(random)}`,
      onError: (error, job) => log.warn({ err: error, job }, 'what the job spent is not booked yet; it is tried again'),
    });
  }

  /** Does a piece of work of a job. */
  async use<R>(record: JobRecord, work: (spending: WorkSpending) => Promise<R>): Promise<R> {
    const { prices } = await this.#currentSettings();
    const { id: job, owner, createdAt } = record;
    const limits = () => callLimits(this.#context.jobs.get(job)?.record ?? record);
    return this.#budgets.use({ job, owner, createdAt, limits }, (budget) =>
      work({ budget, prices, cover: () => budget.cover() }),
    );
  }

  /** Gives back what is free. */
  stop(): Promise<void> {
    return this.#budgets.stop();
  }

  #currentSettings(): Promise<BudgetSettings> {
    const now = this.#context.clock.monotonic();
    if (this.#settings === undefined || now >= this.#settings.until) {
      const before = this.#settings?.value;
      // A coordinator writes damaged ones again.
      const value = this.#ledger.settings().catch((thrown: unknown) => {
        if (before === undefined) throw thrown;
        return before;
      });
      value.catch(() => (this.#settings = undefined));
      this.#settings = { value, until: now + SETTINGS_MS };
    }
    return this.#settings.value;
  }
}
