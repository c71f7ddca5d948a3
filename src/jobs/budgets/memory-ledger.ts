import type { BudgetLedger, BudgetSettings } from './budget-ledger.ts';
import { DEFAULT_SETTINGS } from './budget-settings.ts';
import type { Month } from './month.ts';
import { emptyOwnerLedger, type OwnerLedger } from './owner-ledger.ts';

/** Ledgers in memory, for tests. */
export class MemoryLedger implements BudgetLedger {
  readonly #ledgers = new Map<string, OwnerLedger>();
  readonly #limits = new Map<string, number>();
  readonly #watchers = new Set<(ledger: OwnerLedger) => void>();
  #settings = DEFAULT_SETTINGS;

  read(owner: string, month: Month): Promise<OwnerLedger> {
    return Promise.resolve(this.#of(owner, month));
  }

  async change(owner: string, month: Month, change: (ledger: OwnerLedger) => OwnerLedger | undefined): Promise<OwnerLedger> {
    const before = this.#of(owner, month);
    const after = change(before);
    if (after === undefined || after === before) return before;
    this.#ledgers.set(`${month} ${owner}`, after);
    for (const handler of this.#watchers) handler(after);
    return after;
  }

  list(month: Month): Promise<OwnerLedger[]> {
    const all = [...this.#ledgers.values()].filter((ledger) => ledger.month === month);
    return Promise.resolve(all.sort((a, b) => (a.owner < b.owner ? -1 : 1)));
  }

  limit(owner: string): Promise<number | undefined> {
    return Promise.resolve(this.#limits.get(owner));
  }

  limits(): Promise<Readonly<Record<string, number>>> {
    return Promise.resolve(Object.fromEntries(this.#limits));
  }

  setLimit(owner: string, microDollars: number): Promise<void> {
    this.#limits.set(owner, microDollars);
    return Promise.resolve();
  }

  settings(): Promise<BudgetSettings> {
    return Promise.resolve(this.#settings);
  }

  putSettings(settings: BudgetSettings): Promise<void> {
    this.#settings = settings;
    return Promise.resolve();
  }

  watch(handler: (ledger: OwnerLedger) => void): Promise<() => void> {
    for (const ledger of this.#ledgers.values()) handler(ledger);
    this.#watchers.add(handler);
    return Promise.resolve(() => this.#watchers.delete(handler));
  }

  #of(owner: string, month: Month): OwnerLedger {
    return this.#ledgers.get(`${month} ${owner}`) ?? emptyOwnerLedger(owner, month);
  }
}
