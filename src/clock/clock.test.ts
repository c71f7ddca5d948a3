import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clockConformance } from './conformance.ts';
import { systemClock } from './system.ts';
import { nextTurn, turnsTaken } from './turn.ts';
import { VirtualClock } from './virtual.ts';

clockConformance(
  'systemClock',
  () => systemClock,
  (_, work) => work,
);
clockConformance(
  'VirtualClock',
  () => new VirtualClock(),
  (clock, work) => (clock as VirtualClock).run(work),
);

it('turnsTaken waits for all turns, and for those that follow from them', async () => {
  let turns = 0;
  void (async () => {
    for (; turns < 20; turns += 1) await nextTurn();
  })();
  await turnsTaken();
  expect(turns).toBe(20);
});

describe('VirtualClock', () => {
  it('takes no real time', async () => {
    const clock = new VirtualClock({ origin: 0 });
    await clock.run(clock.sleep(86_400_000));
    expect([clock.now(), clock.monotonic()]).toEqual([86_400_000, 86_400_000]);
  });

  it('wakes by (time, registration), whatever was cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { minLength: 1, maxLength: 30 }), async (sleeps) => {
        const clock = new VirtualClock({ quietTurns: 1 });
        const woken: number[] = [];
        const all = sleeps.map(async ([ms, cancel], i) => {
          const abort = new AbortController();
          const slept = clock.sleep(ms, abort.signal).then(
            () => void woken.push(i),
            () => undefined,
          );
          if (cancel) abort.abort();
          await slept;
        });
        await clock.run(Promise.all(all));
        const expected = sleeps.map(([ms, cancel], i) => ({ ms, cancel, i })).filter((s) => !s.cancel);
        expected.sort((a, b) => a.ms - b.ms || a.i - b.i);
        expect(woken).toEqual(expected.map((s) => s.i));
      }),
      { numRuns: 50 },
    );
  });

  it('stands still while work goes on over many turns of the event loop', async () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const stop = clock.every(1, () => void (ticks += 1));
    const busy = (async () => {
      for (let i = 0; i < 50; i++) await nextTurn();
      return ticks;
    })();
    expect(await clock.run(busy)).toBe(0);
    stop();
  });

  it('stands still while held', async () => {
    const clock = new VirtualClock();
    let release = (): void => undefined;
    const real = new Promise<void>((resolve) => (release = resolve));
    const order: string[] = [];
    void clock.hold(real).then(() => order.push(`work at ${clock.monotonic()}`));
    const slept = clock.sleep(5).then(() => order.push(`sleeper at ${clock.monotonic()}`));
    setTimeout(release, 10);
    await clock.run(slept);
    expect(order).toEqual(['work at 0', 'sleeper at 5']);
  });

  it('gives out what it held when all else is quiet, in the order it was held, whatever came first', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    const later = new Promise<string>((resolve) => setTimeout(() => resolve('first, slow'), 20));
    const work = [clock.hold(later), clock.hold(Promise.resolve('second, at once'))].map((held) =>
      held.then((it) => order.push(it)),
    );
    const busy = (async () => {
      for (let i = 0; i < 20; i++) await nextTurn();
      order.push('busy');
    })();
    await clock.run(Promise.all([...work, busy]));
    expect(order).toEqual(['busy', 'first, slow', 'second, at once']);
    await expect(clock.run(clock.hold(Promise.reject(new Error('broken'))))).rejects.toThrow('broken');
  });

  it('says so when nothing can ever happen again, and when it takes for ever', async () => {
    await expect(new VirtualClock().run(new Promise(() => undefined))).rejects.toMatchObject({ code: 'failed_precondition' });
    const clock = new VirtualClock({ limitMs: 1000 });
    clock.every(100, () => undefined);
    await expect(clock.run(new Promise(() => undefined))).rejects.toMatchObject({ code: 'deadline_exceeded' });
  });

  it('passes on what the work throws', async () => {
    const clock = new VirtualClock();
    const work = clock.sleep(1).then(() => Promise.reject(new Error('broken')));
    await expect(clock.run(work)).rejects.toThrow('broken');
  });
});
