import type { PriceTable } from '../../budget/prices.ts';
import type { Month } from './month.ts';
import type { OwnerLedger } from './owner-ledger.ts';

/** What a cluster's configuration says of money; the same for every process. Amounts in micro-dollars. */
export interface BudgetSettings {
  /** For an owner that is not named. */
  monthly: number;
  /** By owner. */
  owners: Readonly<Record<string, number>>;
  prices: PriceTable;
}

/** Port: one ledger for each owner and calendar month, with compare-and-set. */
export interface BudgetLedger {
  /** Empty where nothing was spent. Throws `data_loss` for what cannot be read, `failed_precondition` for what a newer version wrote. */
  read(owner: string, month: Month): Promise<OwnerLedger>;
  /**
   * Writes what `change` makes of the newest ledger, calling it again when somebody else wrote meanwhile, or when nobody knows whether it
   * was written: it must know its own change again. The same ledger, or undefined, leaves it as it is.
   */
  change(owner: string, month: Month, change: (ledger: OwnerLedger) => OwnerLedger | undefined): Promise<OwnerLedger>;
  /** Those that there are, of a month. Ledgers that cannot be read are left out. */
  list(month: Month): Promise<OwnerLedger[]>;
  /** What was set for an owner in place of the configured limit, in micro-dollars a month. */
  limit(owner: string): Promise<number | undefined>;
  /** By owner. */
  limits(): Promise<Readonly<Record<string, number>>>;
  setLimit(owner: string, microDollars: number): Promise<void>;
  settings(): Promise<BudgetSettings>;
  putSettings(settings: BudgetSettings): Promise<void>;
  /** Gives every ledger that there is, then each change. Ledgers that cannot be read are left out. Returns a function that stops it. */
  watch(handler: (ledger: OwnerLedger) => void): Promise<() => void>;
}
