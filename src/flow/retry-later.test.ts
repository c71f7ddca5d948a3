import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { HandBack, isRetryLater, MAX_AFTER_MS, retrying, RetryLater, retryOf } from './retry-later.ts';

describe('RetryLater', () => {
  it('takes waits and reasons as they are documented, whatever it is given', () => {
    const waits: [unknown, number][] = [
      [undefined, 0],
      [1500.4, 1500],
      [-3, 0],
      [NaN, 0],
      [Infinity, MAX_AFTER_MS],
      [MAX_AFTER_MS + 1, MAX_AFTER_MS],
      ['12', 0],
    ];
    for (const [given, afterMs] of waits) expect(new RetryLater({ afterMs: given as number }).afterMs).toBe(afterMs);
    expect(new RetryLater().reason).toBe('no reason given');
    expect(new RetryLater({ reason: ' two\nlines ' }).reason).toBe('two lines');
    expect(new RetryLater({ reason: 'x'.repeat(1000) }).reason).toHaveLength(300);
  });

  it('is known by its name, also from another copy of the class', () => {
    const foreign = Object.assign(new Error('busy'), { name: 'RetryLater', afterMs: 2000 });
    expect(isRetryLater(foreign)).toBe(true);
    expect(retryOf(foreign, 'tool')).toEqual({ afterMs: 2000, reason: 'busy', source: 'tool' });
    expect(isRetryLater(new Error('RetryLater'))).toBe(false);
    expect(isRetryLater('RetryLater')).toBe(false);
  });

  it('reads an HTTP response', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const answer = (status: number, retryAfter?: string): { status: number; url: string; headers: Headers } => ({
      status,
      url: 'http://search.test/v1?key=secret',
      headers: new Headers(retryAfter === undefined ? {} : { 'Retry-After': retryAfter }),
    });
    const waits: [string | undefined, number][] = [
      [undefined, 0],
      ['7', 7000],
      ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
      ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
      ['soon', 0],
      ['-5', 0],
      ['9999999999', MAX_AFTER_MS],
    ];
    for (const [header, afterMs] of waits)
      expect(RetryLater.fromResponse(answer(429, header), undefined, now)).toMatchObject({
        afterMs,
        reason: 'http://search.test/v1: HTTP 429',
      });
    expect(RetryLater.fromResponse(answer(503), 'search')?.reason).toBe('search: HTTP 503');
    for (const status of [200, 400, 401, 500]) expect(RetryLater.fromResponse(answer(status))).toBeUndefined();
  });

  it('goes by the virtual clock where time is virtual, also after a wait', async () => {
    const clock = new VirtualClock({ origin: 0 });
    const headers = new Headers({ 'Retry-After': 'Thu, 01 Jan 1970 00:01:00 GMT' });
    const later = clock.sleep(20_000).then(() => RetryLater.fromResponse({ status: 429, headers }));
    expect(await clock.run(later)).toMatchObject({ afterMs: 40_000 });
  });
});

describe('retrying', () => {
  const busy = (): never => {
    throw new RetryLater({ reason: 'busy' });
  };

  it('stays synchronous while nothing asks for another try', () => {
    expect(retrying('tool', () => 3, undefined)).toBe(3);
    expect(() => retrying('tool', () => { throw new RangeError('no'); }, undefined)).toThrow(RangeError); // prettier-ignore
  });

  it('hands back where there is no retrier, and else leaves the call to it', async () => {
    expect(() => retrying('tool', busy, undefined)).toThrow(HandBack);
    await expect(retrying('tool', () => Promise.resolve().then(busy), undefined)).rejects.toMatchObject({
      retry: { source: 'tool', reason: 'busy', afterMs: 0 },
    });
    const retrier = { again: <R>(): Promise<R> => Promise.resolve('later' as R) };
    expect(await retrying<string>('tool', busy, retrier)).toBe('later');
  });
});
