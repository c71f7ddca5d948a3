import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import type { JobBudgetConfig } from '../../src/config/budgets.ts';
import { monthOf } from '../../src/jobs/budgets/month.ts';
import { withSpent } from '../../src/jobs/budgets/owner-ledger.ts';
import { transition, type JobRecord } from '../../src/jobs/record.ts';
import { watchJobNotices } from '../jobs/notice-list.ts';
import { BudgetBook } from './budget-book.ts';
import { BudgetGate } from './budget-gate.ts';
import { coordinatedJob } from './job.fixture.ts';
import { reopenBudget } from './resume-budget.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

/** A job that runs and may spend a dollar, and its gate. */
async function setup(budget: JobBudgetConfig = { dollars: 1 }, change: (record: JobRecord) => JobRecord = (record) => record) {
  const { run, context, job, release } = await coordinatedJob(folder.path, (record) => change({ ...record, budget }));
  const book = new BudgetBook(context);
  const notices = watchJobNotices(context, () => {});
  const settle = (): Promise<void> => run(context.clock.sleep(50));
  await settle();
  let gate = new BudgetGate(job, book);
  const month = monthOf(context.clock.now());
  return {
    ...{ run, context, job, book, month, settle },
    /** Another actor takes the job. */
    takeOver: (): void => void (gate = new BudgetGate(job, book)),
    check: () => run(gate.check()).then(settle),
    outOfTrajectories: () => run(gate.outOfTrajectories()).then(settle),
    spend: async (dollars: number, owner = job.record.owner) => {
      const amount = { microDollars: dollars * 1e6, tokens: 0 };
      await run(book.ledger.change(owner, month, (ledger) => withSpent(ledger, 'a', amount)));
      await settle();
    },
    told: () =>
      notices
        .of('a')
        .map(({ code, resolvedAt }) => (resolvedAt === undefined ? code : `${code} is over`))
        .sort(),
    message: (code: string) => notices.of('a').find((notice) => notice.code === code)?.message,
    end: async () => {
      book.close();
      notices.close();
      await release();
    },
  };
}

describe('BudgetGate', () => {
  it('leaves a job alone whose budget is not nearly spent', async () => {
    const { check, spend, job, told, end } = await setup();
    await check();
    await spend(0.79);
    await check();
    expect([job.record.state, told()]).toEqual(['RUNNING', []]);
    await end();
  });

  it('tells once of 80 %, and that it is over once there is more', async () => {
    const { check, spend, job, run, told, message, end } = await setup();
    await spend(0.8);
    await check();
    await check();
    expect([job.record.state, told()]).toEqual(['RUNNING', ['BUDGET_ALERT']]);
    expect(message('BUDGET_ALERT')).toMatch(/^spent \$0\.80 of the \$1\.00 of job a; at 100 % the job pauses: raise it with/);
    await run(job.update((record) => ({ ...record, budget: { dollars: 2 } })));
    await check();
    expect(told()).toEqual(['BUDGET_ALERT is over']);
    await end();
  });

  it('pauses at 100 %, and says what would let the job go on', async () => {
    const { check, spend, job, told, message, end } = await setup();
    await spend(1);
    await check();
    const { state, pause } = job.record;
    expect({ state, pause }).toEqual({
      state: 'PAUSED',
      pause: {
        reason: 'BUDGET_EXHAUSTED',
        message:
          'spent $1.00 of the $1.00 of job a: raise it with `millrace job set-budget a --dollars …`, then `millrace job resume a`',
      },
    });
    expect(told()).toEqual(['BUDGET_ALERT', 'BUDGET_EXHAUSTED']);
    expect(message('BUDGET_EXHAUSTED')).toBe(pause!.message);
    // A paused job spends nothing, so it is skipped.
    await check();
    expect(job.record.pause).toEqual(pause);
    await end();
  });

  it("pauses at the budget of the job's owner, and not at that of another", async () => {
    const { check, spend, job, run, book, end } = await setup({});
    await run(book.ledger.setLimit('local', 500_000));
    await spend(3, 'somebody-else');
    await check();
    expect(job.record.state).toBe('RUNNING');
    await spend(0.5);
    await check();
    expect(job.record.pause?.message).toContain('of owner local for this month (UTC)');
    await end();
  });

  it('goes on once there is more, and what was told is over, also where another actor told it', async () => {
    const { check, spend, job, run, context, book, told, takeOver, end } = await setup();
    await spend(1);
    await check();
    await expect(run(reopenBudget(context, book, job.record))).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'budget',
      message: expect.stringMatching(/^job a cannot go on: BUDGET_EXHAUSTED, spent \$1\.00 of/) as string,
    });
    await run(job.update((record) => ({ ...record, budget: { dollars: 2 } })));
    await run(reopenBudget(context, book, job.record));
    for (const state of ['QUEUED', 'RUNNING'] as const)
      await run(job.update((record) => transition(record, state, { now: context.clock.now() })));
    takeOver();
    await check();
    expect([job.record.state, told()]).toEqual(['RUNNING', ['BUDGET_ALERT is over', 'BUDGET_EXHAUSTED is over']]);
    await end();
  });

  it('pauses for trajectories only when another group does not fit', async () => {
    const { check, outOfTrajectories, job, end } = await setup({ trajectories: 10 }, (record) => ({ ...record, accepted: 1 }));
    await check();
    expect(job.record.state).toBe('RUNNING');
    await outOfTrajectories();
    expect(job.record.pause).toMatchObject({
      reason: 'BUDGET_EXHAUSTED',
      message: expect.stringContaining('--trajectories') as string,
    });
    await end();
  });

  it('pauses when the time is over, without any ledger', async () => {
    const { check, job, run, context, end } = await setup({ wallTime: '1m' }, (record) => ({
      ...record,
      runningSince: new VirtualClock().now(),
    }));
    await check();
    expect(job.record.state).toBe('RUNNING');
    await run(context.clock.sleep(60_000));
    await check();
    expect(job.record.pause?.message).toContain('--wall-time');
    await end();
  });

  it('leaves the job running while the ledgers cannot be read: calls are held to their budgets where they are made', async () => {
    const { check, spend, job, book, end } = await setup();
    await spend(1);
    book.uses = () => Promise.reject(new Error('no answer'));
    await check();
    expect(job.record.state).toBe('RUNNING');
    await end();
  });
});
