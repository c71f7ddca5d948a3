import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { seededRandom } from '../random/seeded.ts';
import { RetryGate } from './retry-gate.ts';
import { HandBack, RetryLater, type Retry } from './retry-later.ts';

const busy: Retry = { afterMs: 0, reason: 'busy', source: 'tool' };

function gateOf(patienceMs = Infinity): { clock: VirtualClock; gate: RetryGate } {
  const clock = new VirtualClock();
  return { clock, gate: new RetryGate({ clock, random: seededRandom(1), patienceMs }) };
}

/** A service that is back at a time; remembers when it was asked. */
function service(clock: VirtualClock, backAt: number): { call: () => Promise<string>; asked: number[] } {
  const asked: number[] = [];
  const call = async (): Promise<string> => {
    asked.push(clock.monotonic());
    await clock.sleep(10);
    if (clock.monotonic() < backAt) throw new RetryLater({ reason: 'busy' });
    return 'here';
  };
  return { call, asked };
}

describe('RetryGate', () => {
  it('lets one call try at a time until one is answered, then all', async () => {
    const { clock, gate } = gateOf();
    const { call, asked } = service(clock, 20_000);
    const all = Promise.all(Array.from({ length: 8 }, () => gate.again(busy, call)));
    expect(gate).toMatchObject({ waiting: 8, isOpen: true });
    expect(await clock.run(all)).toEqual(Array.from({ length: 8 }, () => 'here'));
    const before = asked.filter((at) => at < 19_990);
    expect(before.length).toBeLessThanOrEqual(6);
    for (const [i, at] of before.entries()) if (i > 0) expect(at - before[i - 1]!).toBeGreaterThanOrEqual(1000 * 2 ** (i - 1));
    expect(asked).toHaveLength(before.length + 8);
    expect(gate).toMatchObject({ waiting: 0, isOpen: false, hold: undefined });
  });

  it('gives on what the call fails with otherwise', async () => {
    const { clock, gate } = gateOf();
    await expect(clock.run(gate.again(busy, () => Promise.reject(new RangeError('broken'))))).rejects.toThrow('broken');
    expect(gate.hold).toBeUndefined();
  });

  it('hands back calls whose wait is too long, or in vain', async () => {
    const { clock, gate } = gateOf(60_000);
    const never = (): never => {
      throw new Error('not to be called');
    };
    await expect(clock.run(gate.again({ ...busy, afterMs: 3_600_000 }, never))).rejects.toThrow(HandBack);
    expect(clock.monotonic()).toBe(0);
    // Nothing new is begun for a moment; a later call waits as long as it was asked to itself.
    expect(gate.isOpen).toBe(true);
    await clock.run(clock.sleep(10_000));
    expect(gate.isOpen).toBe(false);
    const { call } = service(clock, Infinity);
    await expect(clock.run(gate.again(busy, call))).rejects.toMatchObject({ retry: { reason: 'busy' } });
    expect(clock.monotonic()).toBeLessThan(80_000);
  });

  it('hands back all that wait when it is flushed or closed, and stops with its signal', async () => {
    const { clock, gate } = gateOf();
    const { call } = service(clock, Infinity);
    const flushed = gate.again(busy, call);
    gate.flush();
    await expect(clock.run(flushed)).rejects.toThrow(HandBack);
    const stop = new AbortController();
    const stopped = gate.again(busy, call, stop.signal);
    stop.abort();
    await expect(clock.run(stopped)).rejects.toMatchObject({ code: 'cancelled' });
    gate.close();
    await expect(clock.run(gate.again(busy, call))).rejects.toThrow(HandBack);
  });
});
