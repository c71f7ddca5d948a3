import { describe, expect, it } from 'vitest';
import { connectMemory, MemoryBus } from '../../bus/memory/memory-bus.ts';
import { VirtualClock } from '../../clock/virtual.ts';
import { RATES } from '../../protocol/names.ts';
import { topology } from '../../protocol/topology.ts';
import { seededRandom } from '../../random/seeded.ts';
import { scriptedModel } from '../testing/scripted-model.ts';
import { rateLimited } from './rate-limited.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { RateLimits } from './rate-state.ts';
import { kvRates, memoryRates } from './rate-store.ts';

const REQUEST = { messages: [{ role: 'user' as const, content: 'Go' }], maxTokens: 300 };
const MINUTE_MS = 60_000;

/** Four clients of a cluster that call as often as they may for three minutes; when each call was made, and its tokens. */
async function fourClients(limits: RateLimits): Promise<{ at: number; tokens: number }[]> {
  const clock = new VirtualClock();
  const bus = new MemoryBus({ clock, topology: topology() });
  const made: { at: number; tokens: number }[] = [];
  const end = clock.now() + 3 * MINUTE_MS;
  const client = async (name: number): Promise<void> => {
    const random = seededRandom(name);
    const store = kvRates(connectMemory(bus.server).kv(RATES), { clock, random });
    const limiter = new RateLimiter({ name: 'provider', limits, store, clock });
    const model = rateLimited(limiter)(
      scriptedModel(
        () => {
          const usage = { tokensIn: 20 + random.integer(40), tokensOut: 50 + random.integer(200) };
          made.push({ at: clock.now(), tokens: usage.tokensIn + usage.tokensOut });
          return { usage, latencyMs: 200 + random.integer(2000) };
        },
        { clock },
      ),
    );
    const caller = async (): Promise<void> => {
      while (clock.now() < end) await model.generate(REQUEST);
    };
    await Promise.all(Array.from({ length: 12 }, caller));
  };
  await clock.run(Promise.all([1, 2, 3, 4].map(client)));
  return made;
}

/** Least and most of something in a minute, over all minutes of the second and third one. */
function minutes(made: readonly { at: number; tokens: number }[], of: (call: { tokens: number }) => number): [number, number] {
  const start = made[0]!.at;
  const sums = Array.from({ length: 60 }, (_, second) => {
    const from = start + MINUTE_MS + second * 1000;
    return made.filter(({ at }) => at >= from && at < from + MINUTE_MS).reduce((sum, call) => sum + of(call), 0);
  });
  return [Math.min(...sums), Math.max(...sums)];
}

describe('limits of a provider, with four clients', () => {
  it('requests in any minute are within 5 % of what is allowed', async () => {
    for (const requestsPerMinute of [60, 600]) {
      const [least, most] = minutes(await fourClients({ requestsPerMinute }), () => 1);
      expect(most).toBeLessThanOrEqual(requestsPerMinute * 1.05);
      expect(least).toBeGreaterThanOrEqual(requestsPerMinute * 0.95);
    }
  });

  it('tokens in any minute are within 5 % of what is allowed, though nobody knows them before', async () => {
    const tokensPerMinute = 60_000;
    const [least, most] = minutes(await fourClients({ tokensPerMinute }), ({ tokens }) => tokens);
    expect(most).toBeLessThanOrEqual(tokensPerMinute * 1.05);
    expect(least).toBeGreaterThanOrEqual(tokensPerMinute * 0.95);
  });
});

describe('a rate limiter', () => {
  const setup = (limits: RateLimits, longestWaitMs?: number): { clock: VirtualClock; limiter: RateLimiter } => {
    const clock = new VirtualClock();
    return { clock, limiter: new RateLimiter({ name: 'p', limits, store: memoryRates(), clock, longestWaitMs }) };
  };

  it('fails at once where the turn is too far away, and takes no place then', async () => {
    const { clock, limiter } = setup({ requestsPerMinute: 1 }, 1000);
    await clock.run(limiter.take(0));
    const refused = limiter.take(0);
    await expect(clock.run(refused)).rejects.toMatchObject({
      reason: 'MODEL_RATE_LIMITED',
      retryAfterMs: 60_000,
      maybeBilled: false,
    });
    await clock.run(clock.sleep(60_000));
    await clock.run(limiter.take(0));
  });

  it('a caller that is stopped gives its tokens back', async () => {
    const { clock, limiter } = setup({ tokensPerMinute: 60 });
    await clock.run(limiter.take(10));
    const stop = new AbortController();
    const waiting = limiter.take(40, stop.signal);
    await clock.run(clock.sleep(10));
    stop.abort();
    await expect(clock.run(waiting)).rejects.toMatchObject({ code: 'cancelled' });
    const before = clock.monotonic();
    await clock.run(clock.sleep(100));
    await clock.run(limiter.take(1));
    expect(clock.monotonic() - before).toBeLessThan(10_000);
  });

  it('all wait as long as the provider wants', async () => {
    const clock = new VirtualClock();
    const store = memoryRates();
    const limiter = (): RateLimiter => new RateLimiter({ name: 'p', limits: { requestsPerMinute: 6000 }, store, clock });
    const model = rateLimited(limiter())(scriptedModel([{ fault: { status: 429, retryAfter: '20' } }], { clock }));
    await expect(clock.run(model.generate(REQUEST))).rejects.toMatchObject({ retryAfterMs: 20_000 });
    await clock.run(clock.sleep(100));
    await clock.run(limiter().take(0));
    expect(clock.monotonic()).toBeGreaterThanOrEqual(18_000);
  });
});
