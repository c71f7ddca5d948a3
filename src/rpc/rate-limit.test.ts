import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limit.ts';

describe('rate limiter', () => {
  it('allows the burst, then the rate, and says how long to wait', () => {
    let now = 0;
    const limiter = new RateLimiter({ perSecond: 8, burst: 3 }, () => now);
    expect([1, 2, 3].map(() => limiter.take('a'))).toEqual([0, 0, 0]);
    expect(limiter.take('a')).toBe(125);
    now = 62.5;
    expect(limiter.take('a')).toBe(63);
    now = 125;
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBe(125);
  });

  it('counts peers apart', () => {
    const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, () => 0);
    expect([limiter.take('a'), limiter.take('b'), limiter.take('a')]).toEqual([0, 0, 1000]);
  });

  it('never allows more than burst + rate × time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.nat(500)),
        (perSecond, burst, gaps) => {
          let now = 0;
          const limiter = new RateLimiter({ perSecond, burst }, () => now);
          let allowed = 0;
          for (const gap of gaps) {
            now += gap;
            if (limiter.take('a') === 0) allowed += 1;
          }
          expect(allowed).toBeLessThanOrEqual(burst + (perSecond * now) / 1000 + 1e-6);
        },
      ),
    );
  });
});
