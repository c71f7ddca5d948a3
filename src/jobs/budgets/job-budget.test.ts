import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOTHING, plus, type Amount } from '../../budget/amount.ts';
import { BudgetExhausted, type Reservation } from '../../budget/budget.ts';
import { VirtualClock } from '../../clock/virtual.ts';
import type { BudgetLedger } from './budget-ledger.ts';
import { MillraceError } from '../../errors.ts';
import { JobBudget } from './job-budget.ts';
import { MemoryLedger } from './memory-ledger.ts';
import { blockKey, forfeitBlock, isSettled, setAsideOf, spentOf } from './owner-ledger.ts';

const NOVEMBER = Date.UTC(2026, 10, 30, 23, 0);
const dollars = (microDollars: number): Amount => ({ microDollars, tokens: 0 });

/** How the ledger fails: by which of its writes comes first. */
interface Doubt {
  /** Every so many writes one is made, and then made again as if nobody knew. */
  nth: number;
  /** Every so many writes one fails: made, or not made, by turns. */
  fails: number;
}

/** A ledger with writes of which nobody knows whether they were made. */
function doubtful(ledger: MemoryLedger, doubt: Doubt & { next?: 'made' | 'lost' }): BudgetLedger {
  const { nth, fails } = doubt;
  let writes = 0;
  const change: BudgetLedger['change'] = async (owner, month, make) => {
    writes += 1;
    const fate = doubt.next ?? (writes % fails !== 0 ? undefined : (writes / fails) % 2 === 0 ? 'made' : 'lost');
    delete doubt.next;
    if (fate !== undefined) {
      if (fate === 'made') await ledger.change(owner, month, make);
      throw new MillraceError('unavailable', 'no answer');
    }
    const first = await ledger.change(owner, month, make);
    return writes % nth === 0 ? ledger.change(owner, month, make) : first;
  };
  return Object.assign(Object.create(ledger) as BudgetLedger, {
    change,
    read: ledger.read.bind(ledger),
    limit: ledger.limit.bind(ledger),
    settings: ledger.settings.bind(ledger),
  });
}

interface Setup {
  limits?: { microDollars?: number; tokens?: number };
  owner?: number;
  nth?: number;
  fails?: number;
}

async function setup({ limits = {}, owner = 1_000_000, nth = 1_000_000, fails = 1_000_000 }: Setup = {}) {
  const clock = new VirtualClock({ origin: NOVEMBER });
  const memory = new MemoryLedger();
  await memory.setLimit('ann', owner);
  const doubt: Parameters<typeof doubtful>[1] = { nth, fails };
  const ledger = doubtful(memory, doubt);
  const budget = (holder: string, job = 'a'): JobBudget =>
    new JobBudget({ job, owner: 'ann', createdAt: NOVEMBER, limits: () => limits }, { ledger, clock, holder });
  const november = () => memory.read('ann', '2026-11');
  /** Of the next write nobody knows whether it was made. */
  const fail = (next: 'made' | 'lost'): void => void (doubt.next = next);
  return { clock, memory, budget, november, fail };
}

describe('JobBudget', () => {
  it('asks once for many calls, books what they cost, and gives back the rest', async () => {
    const { budget, november } = await setup();
    const mine = budget('n1');
    (await mine.reserve(dollars(100))).settle(dollars(60));
    const answers = Array.from({ length: 20 }, () => mine.reserve(dollars(100)));
    expect(answers.some((answer) => answer instanceof Promise)).toBe(false);
    for (const answer of answers) (await answer).settle(dollars(100));
    // Nobody else is told before the next exchange; what was spent is set aside.
    expect(spentOf(await november())).toEqual(NOTHING);
    expect(setAsideOf(await november()).microDollars).toBeGreaterThanOrEqual(2060);
    await mine.close();
    expect(spentOf(await november(), 'a')).toEqual(dollars(2060));
    expect(isSettled(await november(), 'a')).toBe(true);
    expect(mine.inUse).toBe(false);
  });

  it('settles a reservation once, and in full where nobody knows what the call cost', async () => {
    const { budget, november } = await setup();
    const mine = budget('n1');
    const one = await mine.reserve(dollars(10));
    one.settle(dollars(4));
    one.settle(dollars(4));
    one.forfeit();
    expect((await mine.reserve(dollars(10))).forfeit()).toEqual(dollars(10));
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(14));
  });

  it.each([
    [
      'owner',
      { owner: 1000 },
      /^the budget of owner ann has no room for \$0\.0003 more than the \$0\.00\d* of \$0\.001 that were/,
    ],
    ['job', { limits: { microDollars: 1000 } }, /^the budget of job a, \$0\.001, has no room for \$0\.0003$/],
  ] as const)('refuses what the budget of the %s has no room for, to all processes together', async (by, limits, message) => {
    const { budget, november, memory } = await setup(limits);
    const [one, two] = [budget('n1'), budget('n2')];
    const reservations: Reservation[] = [];
    let refusal: unknown;
    for (let call = 0; refusal === undefined; call += 1)
      await Promise.resolve((call % 2 === 0 ? one : two).reserve(dollars(300))).then(
        (reservation) => reservations.push(reservation),
        (thrown: unknown) => (refusal = thrown),
      );
    expect(reservations).toHaveLength(3);
    expect(refusal).toBeInstanceOf(BudgetExhausted);
    expect((refusal as Error).message).toMatch(message);
    expect((await november()).jobs['a']!.refused).toEqual({ by, needed: dollars(300), at: NOVEMBER });
    // Smaller calls fit, and so do those under way.
    (await one.reserve(dollars(100))).settle(dollars(100));
    for (const reservation of reservations) reservation.settle(dollars(300));
    await one.close();
    await two.close();
    expect(spentOf(await november())).toEqual(dollars(1000));
    await memory.setLimit('ann', 2000);
    if (by === 'owner') (await one.reserve(dollars(300))).settle(NOTHING);
  });

  it('limits tokens of a job', async () => {
    const { budget } = await setup({ limits: { tokens: 500 } });
    const mine = budget('n1');
    (await mine.reserve({ microDollars: 0, tokens: 400 })).settle({ microDollars: 0, tokens: 400 });
    await expect(mine.reserve({ microDollars: 0, tokens: 101 })).rejects.toThrow(
      'the budget of job a, 500 tokens, has no room for 101 tokens',
    );
  });

  it('covers what was charged without a reservation, before anybody may hear of it', async () => {
    const { budget, november } = await setup();
    const mine = budget('n1');
    mine.charge({ microDollars: 700, tokens: 30 });
    expect(spentOf(await november())).toEqual(NOTHING);
    await mine.cover();
    expect(spentOf(await november())).toEqual({ microDollars: 700, tokens: 30 });
    // The next ones fit into the block.
    mine.charge(dollars(700));
    const before = await november();
    await mine.cover();
    expect(await november()).toBe(before);
  });

  it('books what was charged beyond a budget, and refuses the next call', async () => {
    const { budget, november } = await setup({ owner: 500, nth: 1 });
    const mine = budget('n1');
    (await mine.reserve(dollars(300))).forfeit();
    mine.charge(dollars(235));
    await mine.cover();
    await expect(mine.reserve(dollars(1))).rejects.toBeInstanceOf(BudgetExhausted);
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(535));
    expect(isSettled(await november(), 'a')).toBe(true);
  });

  it('books calls in the month that they were reserved in, and counts the whole job for its own limit', async () => {
    const { clock, budget, memory, november } = await setup({ limits: { microDollars: 1000 } });
    const mine = budget('n1');
    const late = await mine.reserve(dollars(600));
    await clock.run(clock.sleep(2 * 3600_000));
    await expect(mine.reserve(dollars(500))).rejects.toBeInstanceOf(BudgetExhausted);
    (await mine.reserve(dollars(100))).settle(dollars(100));
    late.settle(dollars(500));
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(500));
    expect(spentOf(await memory.read('ann', '2026-12'))).toEqual(dollars(100));
    expect(isSettled(await november(), 'a')).toBe(true);
  });

  it('goes on after its block was settled in full while it was silent, and books nothing twice', async () => {
    const { budget, memory, november } = await setup();
    const mine = budget('n1');
    const call = await mine.reserve(dollars(100));
    const { left, exchange } = (await november()).blocks[blockKey('n1', 'a')]!;
    await memory.change('ann', '2026-11', (ledger) => forfeitBlock(ledger, blockKey('n1', 'a'), exchange));
    expect(spentOf(await november())).toEqual(left);
    call.settle(dollars(100));
    mine.charge(dollars(5000));
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(5100));
  });
});

describe('an exchange of which nobody knows whether it was written', () => {
  it.each(['made', 'lost'] as const)('books once what it was to book: %s', async (fate) => {
    const { budget, november, fail } = await setup();
    const mine = budget('n1');
    const calls = [await mine.reserve(dollars(100)), await mine.reserve(dollars(100))];
    calls[0]!.settle(dollars(60));
    fail(fate);
    await expect(mine.renew()).rejects.toThrow('no answer');
    calls[1]!.settle(dollars(70));
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(130));
    expect(isSettled(await november(), 'a')).toBe(true);
  });

  it.each(['made', 'lost'] as const)('grants nothing before that is known: %s', async (fate) => {
    const { budget, november, fail } = await setup();
    const mine = budget('n1');
    (await mine.reserve(dollars(100))).settle(dollars(60));
    fail(fate);
    // Gives back what is free.
    await expect(mine.close()).rejects.toThrow('no answer');
    const call = await mine.reserve(dollars(500));
    const ledger = await november();
    expect(plus(spentOf(ledger), setAsideOf(ledger)).microDollars).toBeGreaterThanOrEqual(560);
    call.settle(dollars(500));
    await mine.close();
    expect(spentOf(await november())).toEqual(dollars(560));
  });
});

/** What is done in one step of a run. */
const step = fc.record({
  who: fc.nat(2),
  job: fc.constantFrom('a', 'b'),
  what: fc.constantFrom('call', 'call', 'call', 'call', 'forfeit', 'charge', 'cover', 'renew', 'close', 'die'),
  max: fc.integer({ min: 1, max: 500 }),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
});

it('books every call once, whatever dies, whatever is written twice, and whatever nobody knows of', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.record({ nth: fc.integer({ min: 1, max: 5 }), fails: fc.integer({ min: 3, max: 9 }) }),
      fc.integer({ min: 500, max: 20_000 }),
      run,
    ),
    { numRuns: 200 },
  );
});

async function run(steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[], doubt: Doubt, owner: number) {
  const { budget, memory, november } = await setup({ owner, ...doubt });
  const lives = [0, 0, 0];
  const budgets = new Map<string, JobBudget>();
  const of = (who: number, job: string): [string, JobBudget] => {
    const key = blockKey(`n${who}.${lives[who]}`, job);
    if (!budgets.has(key)) budgets.set(key, budget(`n${who}.${lives[who]}`, job));
    return [key, budgets.get(key)!];
  };
  let [known, unknown, charged] = [0, 0, 0];
  const spentBy = new Map<string, number>();
  for (const { who, job, what, max, part } of steps) {
    const [key, mine] = of(who, job);
    const spend = (amount: number): void => void spentBy.set(key, (spentBy.get(key) ?? 0) + amount);
    const actual = Math.floor(max * part);
    if (what === 'call' || what === 'forfeit') {
      const reservation = await Promise.resolve(mine.reserve(dollars(max))).catch(() => undefined);
      if (what === 'call') reservation?.settle(dollars(actual));
      else reservation?.forfeit();
      if (reservation) spend(what === 'call' ? actual : max);
    } else if (what === 'charge') {
      mine.charge(dollars(actual));
      await again(() => mine.cover());
      spend(actual);
      charged += actual;
    } else if (what === 'die') {
      for (const [other] of budgets)
        if (other.startsWith(`n${who}.${lives[who]}/`)) {
          const block = (await november()).blocks[other];
          const before = spentOf(await november()).microDollars;
          if (block) await memory.change('ann', '2026-11', (ledger) => forfeitBlock(ledger, other, block.exchange));
          expect(spentOf(await november()).microDollars).toBe(before + (block?.left.microDollars ?? 0));
          budgets.delete(other);
          unknown += block?.left.microDollars ?? 0;
        }
      lives[who]! += 1;
    } else await mine[what]().catch(() => {});
    // What was granted, and what was booked, is within the budget but for what was charged without a reservation.
    const all = plus(spentOf(await november()), setAsideOf(await november())).microDollars;
    expect(all).toBeLessThanOrEqual(owner + charged);
  }
  for (const mine of budgets.values()) await again(() => mine.close());
  for (const amount of spentBy.values()) known += amount;
  const ledger = await november();
  expect(Object.keys(ledger.blocks)).toEqual([]);
  const booked = spentOf(ledger).microDollars;
  expect(booked).toBeGreaterThanOrEqual(known);
  expect(booked).toBeLessThanOrEqual(known + unknown);
}

/** Until it comes through. */
async function again<R>(work: () => Promise<R>): Promise<R> {
  for (let turn = 0; ; turn += 1) {
    try {
      return await work();
    } catch (thrown) {
      if (turn === 5) throw thrown;
    }
  }
}
