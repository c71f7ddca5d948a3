import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded.ts';
import { Breaker, MAX_BACKOFF_MS, MIN_BACKOFF_MS } from './breaker.ts';

const busy = (afterMs = 0) => ({ afterMs, reason: 'busy', source: 'tool' });

describe('Breaker', () => {
  it('doubles the wait with every refused try up to the longest, with at most a fifth of jitter', () => {
    const breaker = new Breaker(seededRandom(1));
    let now = 0;
    for (let attempt = 1; attempt <= 40; attempt += 1) {
      breaker.trip(busy(), now);
      const { until, attempts, since } = breaker.hold!;
      expect({ attempts, since }).toEqual({ attempts: attempt, since: 0 });
      const least = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** (attempt - 1));
      expect(until - now).toBeGreaterThanOrEqual(least);
      expect(until - now).toBeLessThanOrEqual(1.2 * least);
      now = until;
    }
  });

  it('waits at least as long as it was asked to, also longer than the longest back-off', () => {
    const breaker = new Breaker(seededRandom(1));
    breaker.trip(busy(3_600_000), 0);
    expect(breaker.hold!.until).toBeGreaterThanOrEqual(3_600_000);
  });

  it('takes refusals of calls made before the wait for one try', () => {
    const breaker = new Breaker(seededRandom(1));
    breaker.trip(busy(), 0);
    const { until } = breaker.hold!;
    breaker.trip(busy(), 100);
    expect(breaker.hold).toMatchObject({ attempts: 1, until });
    breaker.trip(busy(60_000), 200);
    expect(breaker.hold!.attempts).toBe(1);
    expect(breaker.hold!.until).toBeGreaterThanOrEqual(60_200);
  });

  it('begins anew after a success, and goes on where it was when it was only closed', () => {
    const breaker = new Breaker(seededRandom(1));
    for (let now = 0, i = 0; i < 4; i += 1, now = breaker.hold!.until) breaker.trip(busy(), now);
    const now = breaker.hold!.until;
    breaker.close(now);
    expect(breaker.hold).toBeUndefined();
    breaker.trip(busy(), now + 1);
    expect(breaker.hold!.attempts).toBe(5);
    breaker.succeed();
    breaker.trip(busy(), now + 2);
    expect(breaker.hold!.attempts).toBe(1);
    breaker.close(now + 3);
    breaker.trip(busy(), now + 10 * MAX_BACKOFF_MS);
    expect(breaker.hold!.attempts).toBe(1);
  });
});
