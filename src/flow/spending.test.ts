import { describe, expect, it } from 'vitest';
import type { Amount } from '../budget/amount.ts';
import { BudgetExhausted, type Budget } from '../budget/budget.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { Execution } from './executor.ts';
import { FlowFailure } from './failure.ts';
import { HandBack, RetryLater } from './retry-later.ts';
import { payFor, type PricedTool } from './spending.ts';
import { Meter } from './usage.ts';

const PRICES = { models: { small: { inputPerMillion: 0.15, outputPerMillion: 0.6 } }, tools: { search: 0.01 } };

/** A budget of so many micro-dollars that writes down what is done with it. */
function notedBudget(left = 1_000_000, later = false): Budget & { log: string[] } {
  const log: string[] = [];
  const take = (max: Amount) => {
    if (max.microDollars > left) throw new BudgetExhausted('budget of job a', `no room for ${max.microDollars}`);
    log.push(`reserve ${max.microDollars}`);
    return {
      settle: ({ microDollars, tokens }: Amount) => void log.push(`settle ${microDollars} ${tokens}`),
      forfeit: () => {
        log.push('forfeit');
        return max;
      },
    };
  };
  return {
    log,
    reserve: (max) => (later ? Promise.resolve().then(() => take(max)) : take(max)),
    charge: ({ microDollars, tokens }) => void log.push(`charge ${microDollars} ${tokens}`),
  };
}

async function pay(
  tool: PricedTool,
  call: () => Execution | Promise<Execution>,
  { budget = notedBudget(), signal }: { budget?: ReturnType<typeof notedBudget>; signal?: AbortSignal } = {},
) {
  const meter = new Meter();
  const outcome = await Promise.resolve()
    .then(() => payFor(tool, { budget, prices: PRICES }, { meter, call, signal }))
    .catch((thrown: unknown) => thrown);
  return { outcome, log: budget.log, used: meter.used };
}

const answer = (usage?: Execution['usage']) => (): Execution => ({ input: 1, result: 2, ...(usage && { usage }) });
const throwing = (thrown: unknown) => (): Execution => {
  throw thrown;
};

describe('a call of a tool', () => {
  it.each<[string, PricedTool & { usage?: Execution['usage'] }, string[], number]>([
    ['with a price', { name: 'search' }, ['reserve 10000', 'settle 10000 0'], 10_000],
    ['that costs less than its price', { name: 'search', usage: { cost: 0.0021 } }, ['reserve 10000', 'settle 2100 0'], 2100],
    [
      'with a largest cost of its own',
      { name: 'ask', maxCost: 0.5, usage: { cost: 0.25 } },
      ['reserve 500000', 'settle 250000 0'],
      250_000,
    ],
    ['with neither', { name: 'ask', usage: { cost: 0.1 + 0.2 } }, ['charge 300000 0'], 300_000],
    ['of a model', { name: 'ask', usage: { model: 'small', tokensIn: 10, tokensOut: 1 } }, ['charge 3 11'], 3],
    [
      'of a model without a price',
      { name: 'search', usage: { model: 'x', tokensIn: 5 } },
      ['reserve 10000', 'settle 10000 5'],
      10_000,
    ],
    ['that is free', { name: 'ask' }, [], 0],
  ])('%s', async (_, { usage, ...tool }, log, microDollars) => {
    for (const call of [answer(usage), () => Promise.resolve(answer(usage)())])
      expect(await pay(tool, call)).toMatchObject({ outcome: { result: 2 }, log, used: { microDollars } });
  });

  it('reserves before it is made', async () => {
    const budget = notedBudget(1_000_000, true);
    await pay({ name: 'search' }, () => (budget.log.push('call'), answer()()), { budget });
    expect(budget.log).toEqual(['reserve 10000', 'call', 'settle 10000 0']);
  });

  it('is not made, and costs nothing, where its flow was stopped while money was set aside', async () => {
    const budget = notedBudget(1_000_000, true);
    const stop = new AbortController();
    const paid = pay({ name: 'search' }, throwing(new Error('called')), { budget, signal: stop.signal });
    stop.abort();
    expect((await paid).outcome).toMatchObject({ code: 'cancelled', message: expect.stringContaining('before') as string });
    expect(budget.log).toEqual(['reserve 10000', 'settle 0 0']);
  });

  it.each([
    ['crashes', new FlowFailure(FailureClass.TOOL_CRASH, 'x')],
    ['takes too long', new FlowFailure(FailureClass.TOOL_TIMEOUT, 'x')],
  ])('costs all that was reserved where it %s', async (_, thrown) => {
    for (const call of [throwing(thrown), () => Promise.reject(thrown)])
      expect(await pay({ name: 'search' }, call)).toEqual({
        outcome: thrown,
        log: ['reserve 10000', 'forfeit'],
        used: { tokensIn: 0, tokensOut: 0, microDollars: 10_000 },
      });
  });

  it.each([
    ['the service refused it', new RetryLater({ reason: 'HTTP 429' })],
    ['its arguments could not be made', new FlowFailure(FailureClass.FLOW_CRASH, 'x')],
  ])('costs nothing where %s', async (_, thrown) => {
    expect(await pay({ name: 'search' }, throwing(thrown))).toMatchObject({
      outcome: thrown,
      log: ['reserve 10000', 'settle 0 0'],
    });
  });

  it('costs nothing where its arguments were wrong', async () => {
    const call = (): Execution => ({ input: 1, error: 'no', notCalled: true });
    expect(await pay({ name: 'search' }, call)).toMatchObject({
      log: ['reserve 10000', 'settle 0 0'],
      used: { microDollars: 0 },
    });
  });

  it.each([false, true])('is not made where the budget has no room, and its group is handed back', async (later) => {
    const { outcome, log } = await pay({ name: 'search' }, throwing(new Error('called')), {
      budget: notedBudget(9_999, later),
    });
    expect(outcome).toBeInstanceOf(HandBack);
    expect((outcome as HandBack).retry).toEqual({
      afterMs: 0,
      reason: 'no room for 10000',
      source: "a reservation for tool 'search'",
    });
    expect(log).toEqual([]);
  });
});
