import { MillraceError } from '../../src/errors.ts';
import { monthOf } from '../../src/jobs/budgets/month.ts';
import { forgetRefusal } from '../../src/jobs/budgets/owner-ledger.ts';
import { pauseMessage } from '../../src/jobs/budgets/status.ts';
import type { JobRecord } from '../../src/jobs/record.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { BudgetBook } from './budget-book.ts';

/**
 * Lets a job go on that was paused because a budget was spent: what it was refused is forgotten. `failed_precondition`, with what would
 * let it go on, while there is no room still.
 */
export async function reopenBudget({ clock }: Pick<NodeContext, 'clock'>, book: BudgetBook, record: JobRecord): Promise<void> {
  if (record.state !== 'PAUSED') return;
  const spent = (await book.uses(record)).find(({ exhausted, spent, needed, limit, unit }) =>
    unit === 'trajectories' ? record.pause !== undefined && spent + needed > limit : exhausted,
  );
  if (spent !== undefined) {
    const message = `job ${record.id} cannot go on: BUDGET_EXHAUSTED, ${pauseMessage(spent, record)}`;
    throw new MillraceError('failed_precondition', message, { field: 'budget' });
  }
  await book.ledger.change(record.owner, monthOf(clock.now()), (ledger) => forgetRefusal(ledger, record.id));
}
