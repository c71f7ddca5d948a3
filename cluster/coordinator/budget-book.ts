import { configuredLimit } from '../../src/jobs/budgets/budget-settings.ts';
import type { KvLedger } from '../../src/jobs/budgets/kv-ledger.ts';
import type { Month } from '../../src/jobs/budgets/month.ts';
import type { OwnerLedger } from '../../src/jobs/budgets/owner-ledger.ts';
import { budgetUses, isFree, type BudgetedJob, type BudgetUse } from '../../src/jobs/budgets/status.ts';
import { budgetLedger } from '../jobs/job-spending.ts';
import type { NodeContext } from '../runtime/context.ts';

/** How long until a watch that could not be opened is tried again, in ms. */
const RETRY_MS = 1_000;

/** Told of a ledger that has changed. */
type LedgerChange = (now: OwnerLedger, before: OwnerLedger) => void;

/** Follows the ledgers of all owners, and says how far the budgets of a job are spent. */
export class BudgetBook {
  readonly ledger: KvLedger;
  readonly #context: Pick<NodeContext, 'bus' | 'clock'>;
  readonly #byOwner = new Map<string, Map<Month, OwnerLedger>>();
  readonly #handlers = new Set<LedgerChange>();
  readonly #closed = new AbortController();
  #ready: Promise<void>;

  constructor(context: Pick<NodeContext, 'bus' | 'clock'>) {
    this.#context = context;
    this.ledger = budgetLedger(context);
    this.#ready = this.#open();
    void this.#keepTrying();
  }

  /** Calls back with every ledger that changes. Returns a function that stops it. */
  onChange(handler: LedgerChange): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Those of all months of one owner, or of everybody. */
  ledgers(owner?: string): OwnerLedger[] {
    const of = owner === undefined ? [...this.#byOwner.values()] : [this.#byOwner.get(owner) ?? new Map<Month, OwnerLedger>()];
    return of.flatMap((months) => [...months.values()]);
  }

  /**
   * The budgets that the job draws on; none for one that has no limit of its own and whose calls cost nothing. Rejects while the ledgers
   * cannot be read.
   */
  async uses(job: BudgetedJob): Promise<BudgetUse[]> {
    await this.#ready;
    const ledgers = this.ledgers(job.owner);
    if (isFree(job, ledgers)) return [];
    return budgetUses(job, { ledgers, ownerLimit: await this.limitOf(job.owner), now: this.#context.clock.now() });
  }

  /** What the owner may spend in a month, in micro-dollars. */
  async limitOf(owner: string): Promise<number> {
    return (await this.ledger.limit(owner)) ?? configuredLimit(await this.ledger.settings(), owner);
  }

  close(): void {
    this.#closed.abort();
    this.#handlers.clear();
  }

  async #open(): Promise<void> {
    const stop = await this.ledger.watch((ledger) => {
      const months = this.#byOwner.get(ledger.owner) ?? new Map<Month, OwnerLedger>();
      const before = months.get(ledger.month);
      this.#byOwner.set(ledger.owner, months.set(ledger.month, ledger));
      if (before !== undefined) for (const handler of this.#handlers) handler(ledger, before);
    });
    const { signal } = this.#closed;
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  async #keepTrying(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      const isOpen = await this.#ready.then(
        () => true,
        () => false,
      );
      if (isOpen) return;
      await this.#context.clock.sleep(RETRY_MS, signal).catch(() => {});
      if (!signal.aborted) this.#ready = this.#open();
    }
  }
}
