import type { AdminService, Budget } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';

/** Options of calls about a month. */
export interface MonthOptions extends CallOptions {
  /** Calendar month (UTC) like "2026-11". Default: the present one. */
  month?: string | undefined;
}

/** What the jobs of owners have spent, and may spend (docs/budgets.md). */
export interface BudgetsClient {
  /** Of every owner that has spent something in the month, or has a limit of its own; by name. */
  list(options?: MonthOptions): Promise<Budget[]>;
  get(owner: string, options?: MonthOptions): Promise<Budget>;
  /** Sets the limit of every calendar month, in millionths of a US dollar, from now on. */
  setLimit(owner: string, microDollars: number, options?: CallOptions): Promise<Budget>;
}

/** The budgets of a cluster. */
export function budgetsClient(admin: ServiceClient<typeof AdminService>): BudgetsClient {
  return {
    list: async ({ month = '', ...options } = {}) => (await admin.listBudgets({ month }, options)).budgets,
    get: async (owner, { month = '', ...options } = {}) =>
      answered((await admin.getBudget({ owner, month }, options)).budget, 'a budget'),
    setLimit: async (owner, microDollars, options) =>
      answered((await admin.updateBudget({ owner, limitMicroDollars: BigInt(microDollars) }, options)).budget, 'a budget'),
  };
}
