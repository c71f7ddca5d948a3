import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../../config/job.ts';
import {
  checkCron,
  decodeSchedule,
  dueTick,
  encodeSchedule,
  nextTick,
  pausedSchedule,
  ticked,
  type Schedule,
} from './schedule.ts';

const at = (text: string): number => Date.parse(text);
const config = jobConfigSchema.parse({ name: 'a', flow: '/a.ts' });
const schedule = (more: Partial<Schedule> = {}): Schedule => ({
  ...{ format: 1 as const, name: 'nightly', trigger: { kind: 'cron', cron: '0 3 * * *', timeZone: 'UTC' }, config, priority: 0 },
  ...{
    fromLatest: false,
    paused: false,
    createdAt: at('2026-03-01T00:00Z'),
    seenUntil: at('2026-03-01T00:00Z'),
    runs: 0,
    jobs: [],
  },
  ...more,
});

describe('a schedule by cron', () => {
  it('is due once a tick, whenever it is looked at', () => {
    const before = schedule();
    expect(dueTick(before, at('2026-03-01T02:59:59Z'), undefined)).toBeUndefined();
    const tick = dueTick(before, at('2026-03-01T03:00Z'), undefined)!;
    expect(tick.jobId).toBe('nightly-20260301-0300');
    expect(dueTick(before, at('2026-03-01T09:13:07Z'), undefined)).toEqual(tick);
    const after = ticked(before, tick, { now: at('2026-03-01T03:00Z') });
    expect(after).toMatchObject({ runs: 1, jobs: ['nightly-20260301-0300'], seenUntil: at('2026-03-01T03:00Z') });
    expect(dueTick(after, at('2026-03-02T02:59Z'), undefined)).toBeUndefined();
    expect(nextTick(after, at('2026-03-01T05:00Z'))).toBe(at('2026-03-02T03:00Z'));
  });

  it('runs one of the ticks that were missed, the last', () => {
    const tick = dueTick(schedule(), at('2026-03-09T11:00Z'), undefined)!;
    expect(tick.jobId).toBe('nightly-20260309-0300');
    expect(dueTick(ticked(schedule(), tick, { now: 0 }), at('2026-03-09T12:00Z'), undefined)).toBeUndefined();
  });

  it('follows the clocks of its time zone', () => {
    const trigger = { kind: 'cron' as const, cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
    const ids = (from: string, hours: number): string[] => {
      let now = schedule({ trigger, seenUntil: at(from) });
      const found: string[] = [];
      for (let hour = 0; hour <= hours * 4; hour += 1) {
        const tick = dueTick(now, at(from) + hour * 900_000, undefined);
        if (tick) [now] = [ticked(now, tick, { now: 0 }), found.push(tick.jobId)];
      }
      return found;
    };
    // 02:30 is 01:30 in UTC in winter, comes once where the clocks are put back, and after the gap where they are put forward.
    expect(ids('2026-10-23T22:00Z', 72)).toEqual(['nightly-20261024-0030', 'nightly-20261025-0030', 'nightly-20261026-0130']);
    expect(ids('2026-03-27T23:00Z', 72)).toHaveLength(3);
  });

  it('runs every tick exactly once for looks at any times, when it is never late', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 59 }), { minLength: 20, maxLength: 60 }), async (steps) => {
        let state = schedule({ trigger: { kind: 'cron', cron: '0 * * * *', timeZone: 'UTC' } });
        let now = state.createdAt;
        for (const minutes of steps) {
          now += minutes * 60_000;
          const tick = dueTick(state, now, undefined);
          // Another coordinator may look before the first one has written.
          expect(dueTick(state, now, undefined)).toEqual(tick);
          if (tick) state = ticked(state, tick, { now });
        }
        expect(state.runs).toBe(Math.floor((now - state.createdAt) / 3_600_000));
        expect(new Set(state.jobs).size).toBe(state.jobs.length);
      }),
      { numRuns: 30 },
    );
  });

  it('leaves out what came while it was paused', () => {
    const paused = pausedSchedule(schedule(), true, 0);
    expect(dueTick(paused, at('2026-03-05T00:00Z'), undefined)).toBeUndefined();
    const resumed = pausedSchedule(paused, false, at('2026-03-05T00:00Z'));
    expect(dueTick(resumed, at('2026-03-05T02:00Z'), undefined)).toBeUndefined();
    expect(dueTick(resumed, at('2026-03-05T03:00Z'), undefined)?.jobId).toBe('nightly-20260305-0300');
  });

  it('refuses what is no cron expression or time zone', () => {
    for (const cron of ['', 'every day', '0 3 * *', '0 0 3 * * *', '61 3 * * *'])
      expect(() => checkCron(cron, 'UTC'), cron).toThrow(expect.objectContaining({ code: 'invalid_argument', field: 'cron' }));
    expect(() => checkCron('0 3 * * *', 'Mars/Olympus')).toThrow(expect.objectContaining({ field: 'time_zone' }));
    checkCron('*/5 3 1-7 * MON', 'Asia/Kathmandu');
  });
});

describe('a schedule by rows', () => {
  const counting = schedule({ trigger: { kind: 'trajectories', count: 100 }, seenRows: 40 });

  it('is due once so many have come', () => {
    expect(dueTick(counting, 5, 139)).toBeUndefined();
    expect(dueTick(counting, 5, undefined)).toBeUndefined();
    const tick = dueTick(counting, 5, 190)!;
    expect(tick.jobId).toMatch(/^nightly-[0-9a-z]{8}-1$/);
    expect(tick.jobId.length).toBeLessThan(40);
    const after = ticked(counting, tick, { now: 5 });
    expect(dueTick(after, 9, 289)).toBeUndefined();
    expect(dueTick(after, 9, 290)!.jobId).toMatch(/-2$/);
  });
});

describe('the record of a schedule', () => {
  it('is read as it was written, and refused when it is damaged', () => {
    const failed = ticked(schedule(), dueTick(schedule(), at('2026-03-01T03:00Z'), undefined)!, { now: 7, error: 'no flow' });
    expect(failed).toMatchObject({ runs: 0, error: { at: 7, message: 'no flow' } });
    const bytes = encodeSchedule(failed);
    expect(decodeSchedule(bytes, 'nightly')).toEqual(failed);
    expect(() => decodeSchedule(bytes.subarray(0, 50))).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => decodeSchedule(bytes, 'other')).toThrow(/under another key/);
    const newer = new TextEncoder().encode('{"format":2}');
    expect(() => decodeSchedule(newer)).toThrow(expect.objectContaining({ code: 'failed_precondition' }));
  });
});
