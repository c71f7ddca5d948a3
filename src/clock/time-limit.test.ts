import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Activity } from './activity.ts';
import type { Clock } from './clock.ts';
import { systemClock } from './system.ts';
import { TimeLimit } from './time-limit.ts';
import { VirtualClock } from './virtual.ts';

const sleep = (ms: number): Promise<void> => systemClock.sleep(ms);
const never = new Promise<never>(() => undefined);

/** Holds the event loop. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Runs work as an activity under a limit. */
function limited<R>(limitMs: number, work: () => Promise<R>, clock: Clock = systemClock): ReturnType<TimeLimit['of']> {
  const activity = new Activity(clock);
  const limit = new TimeLimit(limitMs, { clock, activity });
  return limit.of(activity.run(work, true));
}

describe('a time limit', () => {
  it('ends what hangs, when its time has passed and not before', async () => {
    const started = performance.now();
    expect(await limited(60, () => never)).toBe('late');
    expect(performance.now() - started).toBeGreaterThanOrEqual(59);
  });

  it('gives out what the work settles to', async () => {
    expect(await limited(1000, () => Promise.resolve(7))).toEqual({ result: 7 });
    expect(await limited(1000, () => Promise.reject(new Error('no')))).toEqual({ thrown: new Error('no') });
  });

  it('is cancelled by its signal', async () => {
    const stop = new AbortController();
    const work = new TimeLimit(1000, { clock: systemClock }).of(never, stop.signal);
    stop.abort();
    expect(await work).toBe('cancelled');
  });

  it('handles what work rejects with that was begun after its signal', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    const work = Promise.reject(new Error('too late'));
    expect(await new TimeLimit(1000, { clock: systemClock }).of(work, AbortSignal.abort())).toBe('cancelled');
    await turn();
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  it('counts virtual time under a virtual clock, whatever holds the loop meanwhile', async () => {
    const clock = new VirtualClock();
    const work = limited(50, async () => clock.sleep(49).then(() => block(80)), clock);
    expect(await clock.run(work)).toEqual({ result: undefined });
    expect(await clock.run(limited(50, () => clock.sleep(51), clock))).toBe('late');
  });
});

describe('an event loop that others hold', () => {
  it('does not count: an answer that comes afterwards is in time', async () => {
    // The answer takes as many turns of the loop as a response over a network.
    const answer = limited(100, async () => {
      for (let i = 0; i < 5; i++) await turn();
      await sleep(20);
      return 'answer';
    });
    await turn();
    block(400);
    expect(await answer).toEqual({ result: 'answer' });
  });

  it('does not count where it is held again and again', async () => {
    const answer = limited(200, () => sleep(300).then(() => 'answer'));
    for (let i = 0; i < 6; i++) {
      block(100);
      await sleep(1);
    }
    expect(await answer).toEqual({ result: 'answer' });
  });

  it('still lets a tool that hangs end', async () => {
    const started = performance.now();
    const hanging = limited(100, () => never);
    await turn();
    block(300);
    expect(await hanging).toBe('late');
    expect(performance.now() - started).toBeGreaterThanOrEqual(390);
  });

  it('counts for the one who holds it, not for the one who waits beside it', async () => {
    const waiting = limited(100, () => sleep(150).then(() => 'waited'));
    const guilty = limited(100, async () => {
      await sleep(10);
      block(300);
      return 'held the loop';
    });
    expect(await Promise.all([waiting, guilty])).toEqual([{ result: 'waited' }, 'late']);
  });
});

describe('work that holds the event loop itself', () => {
  const cases: [string, () => Promise<unknown>][] = [
    ['before its first await', async () => block(250)],
    ['after an await', async () => turn().then(() => block(250))],
    ['in a timer', () => new Promise<void>((done) => setTimeout(() => (block(250), done()), 5))],
    [
      'in many pieces',
      async () => {
        for (let i = 0; i < 25; i++) await turn().then(() => block(10));
      },
    ],
  ];
  it.each(cases)('%s: is late although its answer has come', async (_, work) => {
    expect(await limited(60, work)).toBe('late');
  });

  it('is told from synchronous work by what it used', () => {
    const activity = new Activity(systemClock);
    const limit = new TimeLimit(100, { clock: systemClock, activity });
    activity.charge(150);
    // Too late by less than what another thread's time slice may take.
    expect(limit.isOverrun).toBe(false);
    activity.charge(60);
    expect(limit.isOverrun).toBe(true);
  });

  it('counts what it calls for the called', () => {
    const [outer, inner] = [new Activity(systemClock), new Activity(systemClock)];
    const started = performance.now();
    outer.run(() => {
      block(20);
      inner.run(() => block(50), false);
      block(20);
    }, false);
    const elapsed = performance.now() - started;
    expect(inner.usedMs).toBeGreaterThanOrEqual(50);
    expect(outer.usedMs).toBeGreaterThanOrEqual(40);
    expect(outer.usedMs + inner.usedMs).toBeLessThanOrEqual(elapsed);
  });
});
