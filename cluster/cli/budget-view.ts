import { toJson } from '@bufbuild/protobuf';
import { BudgetSchema, type Budget, type BudgetUse } from '../../src/gen/millrace/v1/admin_pb.ts';
import { formatDollars } from '../../src/budget/money.ts';
import { percent } from '../../src/jobs/percent.ts';
import { duration } from './format.ts';
import { fields, table } from './table.ts';

const dollars = (micros: bigint): string => formatDollars(Number(micros));

/** A budget as JSON: the fields of admin.proto in lowerCamelCase. */
export function budgetJson(budget: Budget): unknown {
  return toJson(BudgetSchema, budget, { alwaysEmitImplicit: true });
}

/** One line an owner. */
export function budgetTable(budgets: readonly Budget[]): string {
  const rows = budgets.map((budget) => {
    const { owner, month, spentMicroDollars: spent, limitMicroDollars: limit, reservedMicroDollars: reserved } = budget;
    return [owner, month, dollars(spent), dollars(reserved), dollars(limit), share(spent, limit), budget.limitSource];
  });
  return table(['OWNER', 'MONTH', 'SPENT', 'RESERVED', 'LIMIT', 'USED', 'LIMIT FROM'], rows, { right: [2, 3, 4, 5] });
}

/** Everything about one budget, for people. */
export function describeBudget(budget: Budget): string {
  const { spentMicroDollars: spent, limitMicroDollars: limit } = budget;
  const summary = fields([
    ['owner', budget.owner],
    ['month', `${budget.month} (UTC)`],
    ['spent', `${dollars(spent)} of ${dollars(limit)} (${share(spent, limit)})`],
    ['reserved', budget.reservedMicroDollars === 0n ? '' : dollars(budget.reservedMicroDollars)],
    ['limit from', budget.limitSource === 'set' ? 'millrace budget set' : 'the configuration of the cluster'],
    ['tokens', budget.spentTokens === 0n ? '' : String(budget.spentTokens)],
  ]);
  if (budget.jobs.length === 0) return summary;
  const rows = budget.jobs.map(({ jobId, spentMicroDollars, spentTokens, refused }) => [
    jobId,
    dollars(spentMicroDollars),
    String(spentTokens),
    refused ? 'a call was refused' : '',
  ]);
  return `${summary}\n${table(['JOB', 'SPENT', 'TOKENS', ''], rows, { right: [1, 2] })}`;
}

/** The budgets that a job draws on, one line each. */
export function budgetUseTable(uses: readonly BudgetUse[]): string {
  const rows = uses.map(({ of, unit, spent, limit, exhausted }) => [
    of === 'owner' ? 'owner, this month' : 'job',
    amount(spent, unit),
    amount(limit, unit),
    share(spent, limit),
    exhausted ? 'spent' : '',
  ]);
  return table(['BUDGET OF', 'SPENT', 'LIMIT', 'USED', ''], rows, { right: [1, 2, 3] });
}

function amount(value: bigint, unit: string): string {
  if (unit === 'micro_dollars') return dollars(value);
  return unit === 'milliseconds' ? duration(Number(value) / 1000) : `${value} ${unit}`;
}

function share(spent: bigint, limit: bigint): string {
  return limit === 0n ? '–' : percent(Number(spent) / Number(limit));
}
