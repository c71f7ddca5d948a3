import { microDollars } from '../../src/budget/money.ts';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import type { BudgetSettings } from '../../src/jobs/budgets/budget-ledger.ts';
import { forfeitBlock, spentOf } from '../../src/jobs/budgets/owner-ledger.ts';
import { SilentBlocks } from '../../src/jobs/budgets/silent-blocks.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { BudgetBook } from './budget-book.ts';

const LOOK_MS = 1_000;
/** Books of jobs that ended so long ago are not opened by a coordinator that starts: nobody held money of them any more. */
const RECENT_MS = 600_000;

/** What cluster.yaml says of money. */
export type MoneySettings = Pick<ClusterConfig, 'budgets' | 'prices'>;

/** The same in micro-dollars, as every process reads it. */
export function budgetSettings({ budgets, prices }: MoneySettings): BudgetSettings {
  const owners = Object.entries(budgets.owners).map(([owner, dollars]) => [owner, microDollars(dollars)]);
  return { monthly: microDollars(budgets.monthlyDollars), owners: Object.fromEntries(owners) as Record<string, number>, prices };
}

/**
 * Writes what cluster.yaml says of money for all processes to read, and again where it was damaged. Returns a function that stops it.
 */
export async function keepSettings(
  { log }: Pick<NodeContext, 'log'>,
  book: BudgetBook,
  money: MoneySettings,
): Promise<() => void> {
  const { ledger } = book;
  const settings = budgetSettings(money);
  await ledger.putSettings(settings);
  return ledger.watchSettings(() => {
    log.error('the settings of budgets cannot be read, and are written again');
    ledger.putSettings(settings).catch((thrown: unknown) => {
      log.error({ err: MillraceError.from(thrown) }, 'the settings of budgets could not be written');
    });
  });
}

/**
 * Settles the blocks of processes that have gone silent in full: nobody knows what came of the calls that they were granted for. Any number
 * of coordinators may do so at once. What a job was charged after its books were closed opens them again; a coordinator that starts opens those
 * of jobs that have ended lately, since it does not know what they were charged while there was none. Returns a function that stops it.
 */
export function keepBudgets(context: Pick<NodeContext, 'clock' | 'log' | 'jobs'>, book: BudgetBook): () => void {
  const { clock, log } = context;
  const silent = new SilentBlocks();
  let isFirst = true;
  const openRecent = async (): Promise<void> => {
    isFirst = false;
    const since = clock.now() - RECENT_MS;
    for (const job of new Set(book.ledgers().flatMap((ledger) => Object.keys(ledger.jobs))))
      if ((context.jobs.get(job)?.record.endedAt ?? 0) > since) await openBooks(context, job);
  };
  const look = async (): Promise<void> => {
    if (isFirst) await openRecent();
    for (const ledger of book.ledgers()) {
      for (const { key, exchange } of silent.look(ledger, clock.monotonic())) {
        const { owner, month } = ledger;
        log.warn({ owner, month, block: key }, 'money that a lost process held is booked as spent');
        await book.ledger.change(owner, month, (newest) => forfeitBlock(newest, key, exchange));
      }
    }
  };
  const guard = (work: Promise<void>): Promise<void> =>
    work.catch((thrown: unknown) => {
      log.warn({ err: MillraceError.from(thrown) }, 'money of lost processes is not booked yet; it is tried again');
    });
  const stops = [
    clock.every(LOOK_MS, () => guard(look())),
    book.onChange((now, before) => {
      for (const [job, { spent }] of Object.entries(now.jobs))
        if (spent.microDollars !== spentOf(before, job).microDollars) void guard(openBooks(context, job));
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

async function openBooks({ jobs }: Pick<NodeContext, 'jobs'>, job: string): Promise<void> {
  const isClosed = ({ state, unsettled }: JobRecord): boolean => isEnded(state) && !unsettled.includes('books');
  const known = jobs.get(job);
  if (!known || !isClosed(known.record)) return;
  await jobs.update(job, (record) => (isClosed(record) ? { ...record, unsettled: [...record.unsettled, 'books'] } : undefined));
}
