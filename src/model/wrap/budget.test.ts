import { describe, expect, it } from 'vitest';
import type { Amount } from '../../budget/amount.ts';
import { BudgetExhausted, type Budget } from '../../budget/budget.ts';
import type { ModelRequest } from '../model.ts';
import type { Script } from '../testing/script.ts';
import { scriptedModel, type ScriptedModel } from '../testing/scripted-model.ts';
import { wrapped } from './around.ts';
import { mostTokensIn, paid } from './budget.ts';
import { cached, memoryCache } from './cache.ts';
import { retrying } from './retries.ts';
import { VirtualClock } from '../../clock/virtual.ts';

const PRICES = { models: { small: { inputPerMillion: 1, outputPerMillion: 10 } }, tools: {} };
const REQUEST: ModelRequest = { messages: [{ role: 'user', content: 'Grüße' }], maxTokens: 100, temperature: 0 };

/** A budget that writes down what happens. */
function books(limit = Infinity): { budget: Budget; log: string[]; reserved: Amount[]; spent: () => number } {
  const log: string[] = [];
  const reserved: Amount[] = [];
  let spent = 0;
  const book = (word: string, amount: Amount): void => {
    log.push(`${word} ${amount.microDollars}`);
    spent += amount.microDollars;
  };
  const budget: Budget = {
    reserve(max) {
      if (spent + max.microDollars > limit) throw new BudgetExhausted('budget of tests', 'it is spent');
      reserved.push(max);
      return { settle: (actual) => book('settled', actual), forfeit: () => (book('forfeited', max), max) };
    },
    charge: () => expect.unreachable('what was not reserved'),
  };
  return { budget, log, reserved, spent: () => spent };
}

describe('no money without a reservation', () => {
  const setup = (script: Script, limit?: number): ReturnType<typeof books> & { inner: ScriptedModel; model: ScriptedModel } => {
    const inner = scriptedModel(script, { name: 'small' });
    const kept = books(limit);
    return { ...kept, inner, model: { ...paid({ prices: PRICES, budget: kept.budget })(inner), calls: inner.calls } };
  };

  it('the largest cost is set aside before the call, and the real one settled after it', async () => {
    const { model, log, reserved } = setup([{ text: 'So', usage: { tokensIn: 20, tokensOut: 5 } }]);
    expect(await model.generate(REQUEST)).toMatchObject({ microDollars: 70 });
    const most = mostTokensIn(REQUEST);
    expect(most).toBeGreaterThan(Buffer.byteLength('Grüße'));
    expect(reserved).toEqual([{ microDollars: most + 1000, tokens: most + 100 }]);
    expect(log).toEqual(['settled 70']);
  });

  it('a request without a longest length gets one: else nobody would know its largest cost', async () => {
    const { model, inner, reserved } = setup(['So']);
    const { messages } = REQUEST;
    await model.generate({ messages });
    expect(inner.calls[0]!.request.maxTokens).toBe(4096);
    expect(reserved[0]!.microDollars).toBeGreaterThan(40_960);
  });

  it('a call that does not fit is not made', async () => {
    const { model, inner } = setup(['So'], 500);
    await expect(model.generate(REQUEST)).rejects.toBeInstanceOf(BudgetExhausted);
    expect(inner.calls).toHaveLength(0);
  });

  it('a call that was refused costs nothing; one of which nobody knows, all that was set aside', async () => {
    const { model, log, reserved } = setup([
      { fault: { status: 429 } },
      { text: 'a text', fault: { cutAfter: 1 } },
      { usage: null },
    ]);
    await expect(model.generate(REQUEST)).rejects.toMatchObject({ reason: 'MODEL_RATE_LIMITED' });
    await expect(model.generate(REQUEST)).rejects.toMatchObject({ reason: 'MODEL_STREAM_CUT' });
    await model.generate(REQUEST);
    const all = reserved[0]!.microDollars;
    expect(log).toEqual(['settled 0', `forfeited ${all}`, `forfeited ${all}`]);
  });

  it('a stream is settled at its end, and forfeited when it is left', async () => {
    const { model, log, reserved } = setup([{ text: 'a long enough text', usage: { tokensIn: 1, tokensOut: 1 } }]);
    for await (const event of model.stream(REQUEST)) if (event.type === 'end') expect(event.result.microDollars).toBe(11);
    for await (const event of model.stream(REQUEST)) if (event.type === 'text') break;
    expect(log).toEqual(['settled 11', `forfeited ${reserved[0]!.microDollars}`]);
  });

  it('each try is a call of its own, and an answer of the cache is none', async () => {
    const clock = new VirtualClock();
    const { budget, log } = books();
    const inner = scriptedModel([{ fault: { status: 500 } }, { usage: { tokensIn: 10, tokensOut: 0 } }], {
      name: 'small',
      clock,
    });
    const model = wrapped(
      inner,
      paid({ prices: PRICES, budget }),
      retrying({}, clock),
      cached({ store: memoryCache({ clock }) }),
    );
    await clock.run(model.generate(REQUEST));
    expect((await model.generate(REQUEST)).microDollars).toBe(0);
    expect(log).toEqual(['settled 0', 'settled 10']);
  });

  it('a model without a price costs nothing that anybody knows, and its tokens are counted', async () => {
    const { budget, reserved } = books();
    const result = await paid({ prices: PRICES, budget })(scriptedModel(['So'], { name: 'other' })).generate(REQUEST);
    expect(result).not.toHaveProperty('microDollars');
    expect(reserved[0]).toMatchObject({ microDollars: 0, tokens: mostTokensIn(REQUEST) + 100 });
  });
});
