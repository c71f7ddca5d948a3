import { create } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import {
  BudgetSchema,
  JobBudgetSchema,
  type Budget,
  type GetBudgetRequest,
  type ListBudgetsRequest,
  type UpdateBudgetRequest,
  type UpdateJobBudgetRequest,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { dollarsOf } from '../../src/budget/money.ts';
import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import type { BudgetLedger, BudgetSettings } from '../../src/jobs/budgets/budget-ledger.ts';
import { configuredLimit } from '../../src/jobs/budgets/budget-settings.ts';
import { isMonth, monthOf, type Month } from '../../src/jobs/budgets/month.ts';
import { emptyOwnerLedger, setAsideOf, spentOf, type OwnerLedger } from '../../src/jobs/budgets/owner-ledger.ts';
import { checkOwner } from './validation.ts';

/** Most of what can be counted exactly. */
const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/** Shows and changes the budgets of owners. */
export class BudgetDesk {
  readonly #ledger: BudgetLedger;
  readonly #now: () => number;

  /** @param now - Unix milliseconds */
  constructor(ledger: BudgetLedger, now: () => number) {
    this.#ledger = ledger;
    this.#now = now;
  }

  async listBudgets(request: Pick<ListBudgetsRequest, 'month'>): Promise<{ budgets: Budget[] }> {
    const month = this.#month(request.month);
    const [ledgers, limits, settings] = await Promise.all([
      this.#ledger.list(month),
      this.#ledger.limits(),
      this.#ledger.settings(),
    ]);
    const known = new Map(ledgers.map((ledger) => [ledger.owner, ledger]));
    const owners = new Set([...known.keys(), ...Object.keys(limits), ...Object.keys(settings.owners)]);
    const budgets = [...owners].sort().map((owner) => {
      const ledger = known.get(owner) ?? emptyOwnerLedger(owner, month);
      return budgetView(ledger, Object.hasOwn(limits, owner) ? limits[owner] : undefined, settings);
    });
    return { budgets };
  }

  async getBudget(request: Pick<GetBudgetRequest, 'owner' | 'month'>): Promise<{ budget: Budget }> {
    const owner = checkOwner(request.owner);
    const [ledger, limit, settings] = await Promise.all([
      this.#ledger.read(owner, this.#month(request.month)),
      this.#ledger.limit(owner),
      this.#ledger.settings(),
    ]);
    return { budget: budgetView(ledger, limit, settings) };
  }

  async updateBudget(request: Pick<UpdateBudgetRequest, 'owner' | 'limitMicroDollars'>): Promise<{ budget: Budget }> {
    const owner = checkOwner(request.owner);
    if (request.limitMicroDollars > MOST)
      throw new MillraceError('invalid_argument', `got ${request.limitMicroDollars}, expected 0 to ${MOST}.`, {
        field: 'limit_micro_dollars',
      });
    await this.#ledger.setLimit(owner, Number(request.limitMicroDollars));
    return this.getBudget({ owner, month: '' });
  }

  #month(month: string): Month {
    if (month === '') return monthOf(this.#now());
    if (isMonth(month)) return month;
    const message = `got ${JSON.stringify(month.slice(0, 20))}, expected a month like 2026-11, or nothing for the present one.`;
    throw new MillraceError('invalid_argument', message, { field: 'month' });
  }
}

function budgetView(ledger: OwnerLedger, limit: number | undefined, settings: BudgetSettings): Budget {
  const spent = spentOf(ledger);
  const jobs = Object.entries(ledger.jobs).map(([jobId, { spent: own, refused }]) => ({
    jobId,
    spentMicroDollars: BigInt(own.microDollars),
    spentTokens: BigInt(own.tokens),
    refused: refused !== undefined,
  }));
  return create(BudgetSchema, {
    owner: ledger.owner,
    month: ledger.month,
    limitMicroDollars: BigInt(limit ?? configuredLimit(settings, ledger.owner)),
    limitSource: limit === undefined ? 'configuration' : 'set',
    spentMicroDollars: BigInt(spent.microDollars),
    reservedMicroDollars: BigInt(setAsideOf(ledger).microDollars),
    spentTokens: BigInt(spent.tokens),
    jobs: jobs.sort((a, b) => Number(b.spentMicroDollars - a.spentMicroDollars) || (a.jobId < b.jobId ? -1 : 1)),
  });
}

/** The fields of a job's budget, as a mask names them. */
const FIELDS = { micro_dollars: 'dollars', tokens: 'tokens', trajectories: 'trajectories', wall_time: 'wallTime' } as const;

/** Longest time that a job may be given, in seconds. */
const LONGEST = 999_999n * 60n;

/** As job.yaml has it; a time of many seconds in whole minutes, rounded up. */
function ageOf(seconds: bigint): string {
  return seconds <= 999_999n ? `${seconds}s` : `${(seconds + 59n) / 60n}m`;
}

/** How a request changes the budget of a job. Throws `invalid_argument` with the field. */
export function jobBudgetChange({
  budget = create(JobBudgetSchema),
  updateMask,
}: Pick<UpdateJobBudgetRequest, 'budget' | 'updateMask'>): (before: JobBudgetConfig) => JobBudgetConfig {
  const invalid = (field: string, message: string): MillraceError => new MillraceError('invalid_argument', message, { field });
  const paths = updateMask === undefined || updateMask.paths.length === 0 ? Object.keys(FIELDS) : updateMask.paths;
  const unknown = paths.find((path) => !Object.hasOwn(FIELDS, path));
  if (unknown !== undefined)
    throw invalid('update_mask', `got ${JSON.stringify(unknown)}, expected ${Object.keys(FIELDS).join(', ')}.`);
  const { microDollars, tokens, trajectories, wallTime } = budget;
  for (const [field, value] of Object.entries({ micro_dollars: microDollars, tokens, trajectories }))
    if (value !== undefined && value > MOST) throw invalid(`budget.${field}`, `got ${value}, expected 0 to ${MOST}.`);
  if (wallTime && (wallTime.seconds < 1n || wallTime.seconds > LONGEST || wallTime.nanos !== 0))
    throw invalid('budget.wall_time', `got ${wallTime.seconds} s, expected 1 to ${LONGEST} whole seconds.`);
  const wanted: JobBudgetConfig = {
    dollars: microDollars === undefined ? undefined : dollarsOf(Number(microDollars)),
    tokens: tokens === undefined ? undefined : Number(tokens),
    trajectories: trajectories === undefined ? undefined : Number(trajectories),
    wallTime: wallTime && ageOf(wallTime.seconds),
  };
  return (before) => {
    const after: JobBudgetConfig = { ...before };
    for (const path of paths) {
      const key = FIELDS[path as keyof typeof FIELDS];
      delete after[key];
      if (wanted[key] !== undefined) Object.assign(after, { [key]: wanted[key] });
    }
    return after;
  };
}
