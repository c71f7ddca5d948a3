import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';

/** What every Clock must do. `drive` runs the work to its end: virtual clocks advance in it, real ones just wait. */
export function clockConformance(
  name: string,
  create: () => Clock,
  drive: <T>(clock: Clock, work: Promise<T>) => Promise<T>,
): void {
  describe(`${name} is a Clock`, () => {
    it('never goes back and measures what it slept', async () => {
      const clock = create();
      const [now, start] = [clock.now(), clock.monotonic()];
      await drive(clock, clock.sleep(20));
      expect(clock.monotonic() - start).toBeGreaterThanOrEqual(19);
      expect(clock.now() - now).toBeGreaterThanOrEqual(18);
    });

    it('wakes sleepers in the order of their times', async () => {
      const clock = create();
      const woken: number[] = [];
      await drive(clock, Promise.all([60, 5, 30].map(async (ms) => clock.sleep(ms).then(() => woken.push(ms)))));
      expect(woken).toEqual([5, 30, 60]);
    });

    it('sleeps for nothing and for less than nothing', async () => {
      const clock = create();
      await drive(clock, Promise.all([clock.sleep(0), clock.sleep(-5)]));
      expect(clock.monotonic()).toBeGreaterThanOrEqual(0);
    });

    it('refuses a duration that is none, rather than wake at once or spin', async () => {
      const clock = create();
      for (const ms of [NaN, undefined as never, '5' as never])
        await expect(drive(clock, clock.sleep(ms))).rejects.toMatchObject({ code: 'invalid_argument', field: 'ms' });
      for (const ms of [NaN, Infinity, 0, -1])
        expect(() => clock.every(ms, () => {})).toThrow(
          expect.objectContaining({ code: 'invalid_argument', field: 'ms' }) as Error,
        );
    });

    it('rejects with `cancelled` when the signal aborts, before or during the sleep', async () => {
      const clock = create();
      const during = new AbortController();
      const slept = clock.sleep(60_000, during.signal).catch((error: unknown) => error);
      during.abort(new Error('enough'));
      expect(await drive(clock, slept)).toMatchObject({ code: 'cancelled', retryable: false, cause: { message: 'enough' } });
      await expect(drive(clock, clock.sleep(1, AbortSignal.abort()))).rejects.toMatchObject({ code: 'cancelled' });
    });

    it('calls back after a while, unless that is taken back', async () => {
      const clock = create();
      const called: string[] = [];
      const takeBack = clock.after(5, () => called.push('taken back'));
      clock.after(10, () => called.push('second'));
      clock.after(0, () => called.push('first'));
      expect(called).toEqual([]);
      takeBack();
      await drive(clock, clock.sleep(20));
      expect(called).toEqual(['first', 'second']);
      for (const ms of [NaN, undefined as never, '5' as never])
        expect(() => clock.after(ms, () => {})).toThrow(
          expect.objectContaining({ code: 'invalid_argument', field: 'ms' }) as Error,
        );
    });

    it('repeats until stopped, one call at a time', async () => {
      const clock = create();
      let [calls, running, most] = [0, 0, 0];
      await drive(
        clock,
        new Promise<void>((resolve) => {
          const stop = clock.every(4, async () => {
            most = Math.max(most, ++running);
            calls += 1;
            if (calls === 3) {
              stop();
              resolve();
            } else await clock.sleep(10);
            running -= 1;
          });
        }),
      );
      await drive(clock, clock.sleep(20));
      expect([calls, most]).toEqual([3, 1]);
    });
  });
}
