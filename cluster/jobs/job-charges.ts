import { NOTHING, plus, type Amount } from '../../src/budget/amount.ts';
import { MillraceError } from '../../src/errors.ts';
import { monthOf, monthsBefore, type Month } from '../../src/jobs/budgets/month.ts';
import { isSettled, spentOf } from '../../src/jobs/budgets/owner-ledger.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { eventSubject } from '../../src/protocol/subjects.ts';
import type { JobContext } from './context.ts';
import { budgetLedger } from './job-spending.ts';

/** What a job was charged. */
export interface JobCharges {
  /** Over all months. */
  sum: Amount;
  /** Of the months in which it was charged anything. */
  months: { month: Month; spent: Amount }[];
  /** No process holds money of it any more, as far as its ledgers can be read. */
  settled: boolean;
}

/** What {@link readCharges} needs. */
type ChargesContext = Pick<JobContext, 'bus' | 'clock' | 'log'>;

/**
 * Reads what the ledgers of the job's owner say of it. One that cannot be read says nothing: training goes on, and calls that cost something are
 * refused where they are made.
 */
export async function readCharges(
  { bus, clock, log }: ChargesContext,
  { id, owner, createdAt }: Pick<JobRecord, 'id' | 'owner' | 'createdAt'>,
): Promise<JobCharges> {
  const ledgers = budgetLedger({ bus, clock });
  const now = monthOf(clock.now());
  const charges: JobCharges = { sum: NOTHING, months: [], settled: true };
  for (const month of [...monthsBefore(now, createdAt), now]) {
    const ledger = await ledgers.read(owner, month).catch((thrown: unknown) => {
      const error = MillraceError.from(thrown);
      if (error.retryable) throw error;
      log.error({ err: error, job: id }, 'what a job was charged cannot be read');
      return undefined;
    });
    if (ledger === undefined) continue;
    const spent = spentOf(ledger, id);
    charges.sum = plus(charges.sum, spent);
    charges.settled &&= isSettled(ledger, id);
    if (Object.hasOwn(ledger.jobs, id)) charges.months.push({ month, spent });
  }
  return charges;
}

/** Writes what the job was charged into table `spending`. */
export async function publishCharges(
  { bus, clock }: Pick<JobContext, 'bus' | 'clock'>,
  { id: job, owner }: Pick<JobRecord, 'id' | 'owner'>,
  { months }: JobCharges,
): Promise<void> {
  for (const { month, spent } of months) {
    const { microDollars: micro_dollars, tokens } = spent;
    const row = { job, owner, month, micro_dollars, tokens, at: Math.round(clock.now() * 1000) };
    // When it was read makes no other row of it.
    const same = { id: `${job}:spending:${month}`, content: `${micro_dollars} ${tokens}` };
    await bus.publish(eventSubject(job, 'spending'), encodeRows('spending', [row]), same);
  }
}

/**
 * The same, as the job's own ledger holds it.
 *
 * @param before - what it holds: it never holds less, also where a ledger was damaged
 */
export function chargedIn(
  { sum }: JobCharges,
  before: { spentMicroDollars: bigint; spentTokens: bigint },
): { spentMicroDollars: bigint; spentTokens: bigint } {
  const most = (one: bigint, other: bigint): bigint => (one > other ? one : other);
  return {
    spentMicroDollars: most(BigInt(sum.microDollars), before.spentMicroDollars),
    spentTokens: most(BigInt(sum.tokens), before.spentTokens),
  };
}
