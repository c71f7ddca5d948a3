import { describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { thermostatJob } from '../../test/support/thermostat.ts';
import type { Amount } from '../../src/budget/amount.ts';
import { JobBudget } from '../../src/jobs/budgets/job-budget.ts';
import { monthOf } from '../../src/jobs/budgets/month.ts';
import { isSettled, setAsideOf, spentOf, withSpent } from '../../src/jobs/budgets/owner-ledger.ts';
import { BUDGETS } from '../../src/protocol/names.ts';
import { createJobRecord, settle, transition } from '../../src/jobs/record.ts';
import { BudgetBook } from './budget-book.ts';
import { budgetSettings, keepBudgets, keepSettings } from './budget-keeper.ts';

const dollars = (microDollars: number): Amount => ({ microDollars, tokens: 0 });

/** Coordinators that keep budgets, and processes that spend. */
async function setup(coordinators = 1) {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  const kept = [];
  for (let i = 1; i <= coordinators; i += 1) {
    const context = await clock.run(nodes.node(`coordinator-${i}`));
    const book = new BudgetBook(context);
    kept.push({ context, book, stop: keepBudgets(context, book) });
  }
  const [{ context, book }] = kept as [(typeof kept)[0]];
  const { ledger } = book;
  const month = monthOf(clock.now());
  const newest = () => clock.run(ledger.read('ann', month));
  const budget = (holder: string, job = 'a'): JobBudget =>
    new JobBudget({ job, owner: 'ann', createdAt: clock.now(), limits: () => ({}) }, { ledger, clock, holder });
  const pass = (ms: number): Promise<void> => clock.run(clock.sleep(ms));
  await pass(100);
  return { clock, context, kept, ledger, month, newest, budget, pass };
}

describe('keepBudgets', () => {
  it('books the whole block of a process that is silent for 20 seconds, once, whichever coordinator checks', async () => {
    const { clock, newest, budget, pass } = await setup(3);
    const call = await clock.run(Promise.resolve(budget('lost').reserve(dollars(100))));
    const { microDollars: held } = setAsideOf(await newest());
    expect(held).toBeGreaterThanOrEqual(100);
    await pass(19_000);
    expect(spentOf(await newest())).toEqual(dollars(0));
    await pass(3_000);
    expect([spentOf(await newest(), 'a'), isSettled(await newest(), 'a')]).toEqual([dollars(held), true]);
    await pass(60_000);
    expect(spentOf(await newest())).toEqual(dollars(held));
    call.settle(dollars(1));
  });

  it('leaves the block of a process that renews it', async () => {
    const { clock, newest, budget, pass } = await setup();
    const mine = budget('slow');
    const call = await clock.run(Promise.resolve(mine.reserve(dollars(100))));
    for (let turn = 0; turn < 10; turn += 1) {
      await pass(15_000);
      await clock.run(mine.renew());
    }
    expect(spentOf(await newest())).toEqual(dollars(0));
    call.settle(dollars(40));
    await clock.run(mine.close());
    expect([spentOf(await newest(), 'a'), isSettled(await newest(), 'a')]).toEqual([dollars(40), true]);
  });

  it('opens the books of a job that has ended when it is charged once more, and of no other', async () => {
    const { clock, context, ledger, month, pass } = await setup();
    const config = thermostatJob();
    const ended = (id: string) => {
      const running = transition(createJobRecord({ id, config, now: 1, owner: 'ann' }), 'RUNNING', { now: 2 });
      const over = transition(running, 'CANCELLED', { now: 3 });
      return over.unsettled.reduce((record, what) => settle(record, what) ?? record, over);
    };
    for (const id of ['a', 'b']) await clock.run(context.jobs.create(ended(id)));
    const unsettled = async (id: string) => (await clock.run(context.jobs.fetch(id)))!.record.unsettled;
    const spend = (microDollars: number) =>
      clock.run(ledger.change('ann', month, (before) => withSpent(before, 'a', dollars(microDollars))));
    expect([await unsettled('a'), await unsettled('b')]).toEqual([[], []]);
    await spend(1);
    await spend(1);
    await pass(100);
    expect([await unsettled('a'), await unsettled('b')]).toEqual([['books'], []]);
  });

  it('opens the books of a job that was charged while there was no coordinator', async () => {
    const { clock, kept, ledger, context, month, pass } = await setup();
    const config = thermostatJob();
    const ended = (id: string, endedAt: number) => {
      const running = transition(createJobRecord({ id, config, now: 1, owner: 'ann' }), 'RUNNING', { now: 2 });
      return { ...transition(running, 'CANCELLED', { now: endedAt }), unsettled: [] };
    };
    const now = clock.now();
    await clock.run(context.jobs.create(ended('a', now)));
    await clock.run(context.jobs.create(ended('old', now - 3_600_000)));
    kept[0]!.stop();
    for (const job of ['a', 'old']) await clock.run(ledger.change('ann', month, (before) => withSpent(before, job, dollars(1))));
    const book = new BudgetBook(context);
    const stop = keepBudgets(context, book);
    await pass(2_000);
    const unsettled = async (id: string) => (await clock.run(context.jobs.fetch(id)))!.record.unsettled;
    expect([await unsettled('a'), await unsettled('old')]).toEqual([['books'], []]);
    stop();
    book.close();
  });

  it('goes on where a ledger cannot be written for a while', async () => {
    const { clock, kept, newest, budget, pass } = await setup();
    await clock.run(Promise.resolve(budget('lost').reserve(dollars(100))));
    const { ledger } = kept[0]!.book;
    const change = ledger.change.bind(ledger);
    let failures = 3;
    ledger.change = (...args) => (failures-- > 0 ? Promise.reject(new Error('no answer')) : change(...args));
    await pass(30_000);
    expect([failures < 0, isSettled(await newest(), 'a')]).toEqual([true, true]);
  });

  it('stops', async () => {
    const { clock, kept, newest, budget, pass } = await setup();
    await clock.run(Promise.resolve(budget('lost').reserve(dollars(100))));
    kept[0]!.stop();
    await pass(60_000);
    expect(isSettled(await newest(), 'a')).toBe(false);
  });
});

it('keepSettings writes settings again that were damaged', async () => {
  const { clock, context, kept, ledger, pass } = await setup();
  const prices = { models: {}, tools: { search: 0.01 } };
  const money = { budgets: { monthlyDollars: 5, owners: {} }, prices };
  const stop = await clock.run(keepSettings(context, kept[0]!.book, money));
  for (const damaged of ['{"monthly":', '{}', '{"monthly":-1,"owners":{},"prices":{"models":{},"tools":{}}}']) {
    await clock.run(context.bus.kv(BUDGETS).put('settings', new TextEncoder().encode(damaged)));
    await pass(100);
    expect(await clock.run(ledger.settings())).toEqual({ monthly: 5_000_000, owners: {}, prices });
  }
  stop();
});

it('budgetSettings are in micro-dollars', () => {
  const prices = { models: {}, tools: { search: 0.01 } };
  expect(budgetSettings({ budgets: { monthlyDollars: 12.5, owners: { ann: 0.000001 } }, prices })).toEqual({
    monthly: 12_500_000,
    owners: { ann: 1 },
    prices,
  });
});
