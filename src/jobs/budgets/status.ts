import { NOTHING, plus, type Amount } from '../../budget/amount.ts';
import { formatDollars, microDollars } from '../../budget/money.ts';
import { parseAge } from '../../config/age.ts';
import type { JobBudgetConfig } from '../../config/budgets.ts';
import { ranMs, type JobRecord } from '../record.ts';
import type { Limits } from './exchange.ts';
import { monthOf } from './month.ts';
import { setAsideOf, spentOf, type OwnerLedger } from './owner-ledger.ts';

/** What a budget counts. */
export type BudgetUnit = 'dollars' | 'tokens' | 'trajectories' | 'wall_time';

/** How far one budget that a job draws on is spent. */
export interface BudgetUse {
  /** The job's own, or that of its owner for the month. */
  of: 'job' | 'owner';
  unit: BudgetUnit;
  /** In micro-dollars, tokens, trajectories or milliseconds. */
  spent: number;
  limit: number;
  /** What the next call, or group, needs at least. */
  needed: number;
  /** Nothing more may be spent: the limit is reached, or what is needed next does not fit. */
  exhausted: boolean;
}

/** What {@link budgetUses} reads of a job. */
export type BudgetedJob = Pick<
  JobRecord,
  'id' | 'owner' | 'config' | 'budget' | 'accepted' | 'evaluations' | 'state' | 'ranMs' | 'runningSince' | 'startedAt'
>;

/** From this share on a budget is worth a notice. */
export const ALERT_SHARE = 0.8;

/** What the job may spend, as it is now. */
export function budgetOf({ budget, config }: Pick<JobRecord, 'budget' | 'config'>): JobBudgetConfig {
  return budget ?? config.budget;
}

/** Those of its limits that calls are held to. */
export function callLimits(record: Pick<JobRecord, 'budget' | 'config'>): Limits['job'] {
  const { dollars, tokens } = budgetOf(record);
  return { microDollars: dollars === undefined ? undefined : microDollars(dollars), tokens };
}

/** Whether the job can spend nothing that anybody counts: it has no limit of its own, and no call of it cost anything. */
export function isFree(job: BudgetedJob, ledgers: readonly OwnerLedger[]): boolean {
  const ownLimit = Object.values(budgetOf(job)).some((limit) => limit !== undefined);
  return !ownLimit && ledgers.every((ledger) => !Object.hasOwn(ledger.jobs, job.id));
}

/**
 * The budgets that a job draws on.
 *
 * @param ledgers - of its owner, of all months
 * @param ownerLimit - in micro-dollars a month
 */
export function budgetUses(
  job: BudgetedJob,
  { ledgers, ownerLimit, now }: { ledgers: readonly OwnerLedger[]; ownerLimit: number; now: number },
): BudgetUse[] {
  const month = monthOf(now);
  const current = ledgers.find((ledger) => ledger.month === month);
  const refused = current?.jobs[job.id]?.refused;
  const neededOf = (by: 'job' | 'owner', unit: keyof Amount): number => (refused?.by === by ? refused.needed[unit] : 0);
  const own = ledgers.reduce((sum, ledger) => plus(sum, spentOf(ledger, job.id)), NOTHING);
  const ownAside = ledgers.reduce((sum, ledger) => plus(sum, setAsideOf(ledger, { job: job.id })), NOTHING);
  const all = current ? spentOf(current) : NOTHING;
  const allAside = current ? setAsideOf(current) : NOTHING;
  const { dollars, tokens, trajectories, wallTime } = budgetOf(job);
  const uses = [
    use('owner', 'dollars', {
      limit: ownerLimit,
      spent: all.microDollars,
      needed: neededOf('owner', 'microDollars'),
      aside: allAside.microDollars,
    }),
  ];
  if (dollars !== undefined) {
    const limit = microDollars(dollars);
    const needed = neededOf('job', 'microDollars');
    uses.push(use('job', 'dollars', { limit, spent: own.microDollars, needed, aside: ownAside.microDollars }));
  }
  if (tokens !== undefined) {
    const needed = neededOf('job', 'tokens');
    uses.push(use('job', 'tokens', { limit: tokens, spent: own.tokens, needed, aside: ownAside.tokens }));
  }
  if (trajectories !== undefined) {
    const needed = job.config.rollout.groupSize;
    uses.push(use('job', 'trajectories', { limit: trajectories, spent: sampled(job), needed }));
  }
  if (wallTime !== undefined) {
    const limit = 1000 * parseAge(wallTime, 'budget.wallTime');
    uses.push(use('job', 'wall_time', { limit, spent: ranMs(job, now) }));
  }
  return uses;
}

function use(
  of: BudgetUse['of'],
  unit: BudgetUnit,
  { limit, spent, needed = 0, aside = 0 }: { limit: number; spent: number; needed?: number; aside?: number },
): BudgetUse {
  const exhausted = spent >= limit || (needed > 0 && spent + aside + needed > limit);
  return { of, unit, spent, limit, needed, exhausted };
}

/** Trajectories that were asked for: those of training groups, however they ended, and those of finished evaluations. */
function sampled({ accepted, evaluations, config }: BudgetedJob): number {
  return accepted * config.rollout.groupSize + evaluations.reduce((sum, { tasks }) => sum + tasks, 0);
}

/** How many more groups of training the job may ask for. Infinity: any number. */
export function groupsAffordable(job: BudgetedJob): number {
  const { trajectories } = budgetOf(job);
  if (trajectories === undefined) return Infinity;
  return Math.max(0, Math.floor((trajectories - sampled(job)) / job.config.rollout.groupSize));
}

/** "$4.00 of $5.00 of the budget of job a-1", for people. */
export function describeUse(use: BudgetUse, { id, owner }: Pick<JobRecord, 'id' | 'owner'>): string {
  const whose = use.of === 'job' ? `job ${id}` : `owner ${owner} for this month (UTC)`;
  return `${quantity(use.spent, use.unit)} of the ${quantity(use.limit, use.unit)} of ${whose}`;
}

/** What has to be done so that the job can go on. */
export function remedyFor(use: BudgetUse, { id, owner }: Pick<JobRecord, 'id' | 'owner'>): string {
  const raise =
    use.of === 'owner' ? `millrace budget set ${owner} DOLLARS` : `millrace job set-budget ${id} --${FLAGS[use.unit]} …`;
  const wait = use.of === 'owner' ? ' (or wait for the next month)' : '';
  return `raise it with \`${raise}\`${wait}, then \`millrace job resume ${id}\``;
}

const FLAGS: Readonly<Record<BudgetUnit, string>> = {
  dollars: 'dollars',
  tokens: 'tokens',
  trajectories: 'trajectories',
  wall_time: 'wall-time',
};

function quantity(amount: number, unit: BudgetUnit): string {
  switch (unit) {
    case 'dollars':
      return formatDollars(amount);
    case 'wall_time':
      return `${(amount / 60_000).toFixed(1)} minutes`;
    default:
      return `${amount.toLocaleString('en-US')} ${unit}`;
  }
}

/** Why a job was paused: which budget, how much was spent, and what lets it go on. */
export function pauseMessage(use: BudgetUse, job: Pick<JobRecord, 'id' | 'owner'>): string {
  const next = use.needed > 0 && use.spent < use.limit ? `, and what it needs next is ${quantity(use.needed, use.unit)}` : '';
  return `spent ${describeUse(use, job)}${next}: ${remedyFor(use, job)}`;
}
