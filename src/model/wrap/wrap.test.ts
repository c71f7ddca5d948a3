import { afterEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../clock/virtual.ts';
import { MillraceError } from '../../errors.ts';
import { ModelError } from '../model-error.ts';
import type { Model, ModelEvent, ModelRequest, ModelResult } from '../model.ts';
import type { ScriptedReply } from '../testing/script.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { breaking } from './breaker.ts';
import { cached, memoryCache } from './cache.ts';
import { concurrent } from './concurrency.ts';
import { retrying } from './retries.ts';
import { timeLimited } from './time-limit.ts';

const REQUEST: ModelRequest = { messages: [{ role: 'user', content: 'Go' }], temperature: 0 };
const failing = (status: number, retryAfter?: string): ScriptedReply => ({
  fault: { status, ...(retryAfter !== undefined && { retryAfter }) },
});

async function streamed(model: Model, request = REQUEST): Promise<ModelResult> {
  let last: ModelEvent | undefined;
  for await (const event of model.stream(request)) last = event;
  return (last as Extract<ModelEvent, { type: 'end' }>).result;
}

const ways: [string, (model: Model) => Promise<ModelResult>][] = [
  ['a call', (model) => model.generate(REQUEST)],
  ['a stream', (model) => streamed(model)],
];

describe.each(ways)('retries of %s', (_, ask) => {
  it('try again what may succeed later, as long as the provider asks', async () => {
    const clock = new VirtualClock();
    const inner = scriptedModel([failing(503), failing(429, '20'), 'at last'], { clock });
    const waits: number[] = [];
    const model = retrying({ onRetry: (_error, ms) => void waits.push(ms) }, clock)(inner);
    expect((await clock.run(ask(model))).text).toBe('at last');
    expect(waits[1]).toBeGreaterThanOrEqual(20_000);
    expect(clock.monotonic()).toBeCloseTo(waits[0]! + waits[1]!, 3);
  });

  it('end: after the last try, for what never succeeds, and for a wait that is too long', async () => {
    const clock = new VirtualClock();
    for (const [reply, calls] of [
      [failing(500), 3],
      [failing(400), 1],
      [failing(429, '3600'), 1],
    ] as const) {
      const inner = scriptedModel([reply], { clock });
      await expect(clock.run(ask(retrying({ attempts: 3 }, clock)(inner)))).rejects.toBeInstanceOf(ModelError);
      expect(inner.calls).toHaveLength(calls);
    }
  });
});

describe('retries', () => {
  it('do not begin a stream again that has begun', async () => {
    const clock = new VirtualClock();
    const inner = scriptedModel([{ text: 'a long enough text', fault: { cutAfter: 1 } }], { clock });
    await expect(clock.run(streamed(retrying({}, clock)(inner)))).rejects.toMatchObject({ reason: 'MODEL_STREAM_CUT' });
    expect(inner.calls).toHaveLength(1);
  });

  it('are stopped while they wait', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const model = retrying({}, clock)(scriptedModel([failing(429, '30')], { clock }));
    const asked = model.generate(REQUEST, { signal: stop.signal });
    asked.catch(() => undefined);
    await clock.run(clock.sleep(10));
    stop.abort();
    await expect(clock.run(asked)).rejects.toMatchObject({ code: 'cancelled' });
    expect(clock.monotonic()).toBe(10);
  });
});

describe('time limits', () => {
  const clock = new VirtualClock();

  it.each(ways)('end %s that takes too long', async (_, ask) => {
    const model = timeLimited({ totalMs: 1000 }, clock)(scriptedModel([{ fault: 'hang' }], { clock }));
    await expect(clock.run(ask(model))).rejects.toMatchObject({ reason: 'MODEL_TIMEOUT', retryable: true, maybeBilled: true });
  });

  it('end a model that does not listen to its signal', async () => {
    const deaf: Model = {
      name: 'deaf',
      generate: () => new Promise(() => undefined),
      async *stream() {
        await new Promise(() => undefined);
        yield* [];
      },
    };
    const model = timeLimited({ totalMs: 1000 }, clock)(deaf);
    for (const [, ask] of ways) await expect(clock.run(ask(model))).rejects.toMatchObject({ reason: 'MODEL_TIMEOUT' });
  });

  it('let a slow stream go on as long as something comes', async () => {
    const reply = { text: 'slow and steady', pieceLength: 3, pieceMs: 900 };
    const limit = timeLimited({ silentMs: 1000 }, clock);
    expect((await clock.run(streamed(limit(scriptedModel([reply], { clock }))))).text).toBe('slow and steady');
    const slower = scriptedModel([{ ...reply, pieceMs: 1100 }], { clock });
    await expect(clock.run(streamed(limit(slower)))).rejects.toMatchObject({ reason: 'MODEL_TIMEOUT' });
  });
});

describe('a circuit breaker', () => {
  afterEach(() => void vi.useRealTimers());

  it('makes no calls after failures in a row, and tries again later', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const inner = scriptedModel([failing(500), failing(503), 'well again']);
    const model = breaking({ failures: 2, openMs: 5000 })(inner);
    for (let i = 0; i < 2; i++) await expect(model.generate(REQUEST)).rejects.toMatchObject({ retryable: true });
    await expect(model.generate(REQUEST)).rejects.toMatchObject({
      reason: 'MODEL_OVERLOADED',
      retryAfterMs: 5000,
      maybeBilled: false,
    });
    expect(inner.calls).toHaveLength(2);
    vi.setSystemTime(Date.now() + 6000);
    expect((await model.generate(REQUEST)).text).toBe('well again');
  });

  it('is not opened by rate limits and requests that are refused', async () => {
    const inner = scriptedModel([failing(429), failing(400), failing(429), 'fine']);
    const model = breaking({ failures: 1 })(inner);
    for (let i = 0; i < 3; i++) await expect(model.generate(REQUEST)).rejects.toBeInstanceOf(ModelError);
    expect((await model.generate(REQUEST)).text).toBe('fine');
  });
});

describe('a bound of calls at a time', () => {
  it('holds for calls and whole streams of all models that share it', async () => {
    const clock = new VirtualClock();
    let open = 0;
    let most = 0;
    const counting = (inner: Model): Model => ({
      ...inner,
      async generate(request) {
        most = Math.max(most, ++open);
        return inner.generate(request).finally(() => (open -= 1));
      },
      async *stream(request) {
        most = Math.max(most, ++open);
        try {
          yield* inner.stream(request);
        } finally {
          open -= 1;
        }
      },
    });
    const bound = concurrent({ calls: 3 });
    const [one, two] = ['one', 'two'].map((name) =>
      bound(counting(scriptedModel([{ text: 'abcdefghijklmnop', pieceMs: 10, latencyMs: 10 }], { clock, name }))),
    );
    const asked = Array.from({ length: 20 }, (_, i) => (i % 2 ? one!.generate(REQUEST) : streamed(two!)));
    await clock.run(Promise.all(asked));
    expect([most, open]).toEqual([3, 0]);
  });

  it('a stream that is left early, and a call that fails, free their slot', async () => {
    const inner = scriptedModel(['a long enough text', failing(400), 'free']);
    const model = concurrent({ calls: 1, waiting: 0 })(inner);
    for await (const event of model.stream(REQUEST)) if (event.type === 'text') break;
    await expect(model.generate(REQUEST)).rejects.toMatchObject({ reason: 'MODEL_REQUEST_REFUSED' });
    expect((await model.generate(REQUEST)).text).toBe('free');
  });

  it('refuses calls when too many wait', async () => {
    const clock = new VirtualClock();
    const model = concurrent({ calls: 1, waiting: 1 })(scriptedModel([{ latencyMs: 10 }], { clock }));
    const asked = await clock.run(Promise.allSettled([1, 2, 3].map(() => model.generate(REQUEST))));
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect((asked[2] as PromiseRejectedResult).reason).toMatchObject({ reason: 'MODEL_OVERLOADED' });
  });
});

describe('a cache', () => {
  const clock = new VirtualClock();

  it('answers again what was answered, for nothing, calls and streams alike', async () => {
    const inner = scriptedModel(['first', 'second']);
    const model = cached({ store: memoryCache({ clock }) })(inner);
    const [whole] = [await model.generate(REQUEST)];
    expect(whole.cached).toBeUndefined();
    for (const result of [await model.generate(REQUEST), await streamed(model)])
      expect(result).toMatchObject({ text: 'first', cached: true, microDollars: 0 });
    // The order of fields says nothing.
    const { messages, temperature } = REQUEST;
    expect((await model.generate({ temperature: temperature!, messages })).text).toBe('first');
    expect(inner.calls).toHaveLength(1);
  });

  it('asks anew for other questions, at a temperature, and after failures', async () => {
    const inner = scriptedModel([failing(500), 'a', 'b', 'c', 'd']);
    const model = cached({ store: memoryCache({ clock }) })(inner);
    await expect(model.generate(REQUEST)).rejects.toBeInstanceOf(MillraceError);
    const texts = [];
    for (const request of [REQUEST, { ...REQUEST, seed: 1 }, { ...REQUEST, temperature: 1 }, { ...REQUEST, temperature: 1 }])
      texts.push((await model.generate(request)).text);
    expect(texts).toEqual(['a', 'b', 'c', 'd']);
  });

  it('forgets what was not asked for longest, and what is old', async () => {
    const model = cached({ store: memoryCache({ clock, entries: 2, ttlMs: 1000 }) })(scriptedModel(({ index }) => `${index}`));
    const ask = async (seed: number): Promise<string> => (await model.generate({ ...REQUEST, seed })).text;
    expect([await ask(1), await ask(2), await ask(1), await ask(3), await ask(1), await ask(2)]).toEqual([
      '0',
      '1',
      '0',
      '2',
      '0',
      '3',
    ]);
    await clock.run(clock.sleep(1001));
    expect(await ask(2)).toBe('4');
  });
});
