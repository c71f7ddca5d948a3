import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

it('spaces what it hands out by the rate, from the start on', () => {
  const bucket = new TokenBucket({ ratePerSecond: 100, startMs: 5000 });
  expect([bucket.take(1), bucket.take(1), bucket.take(2), bucket.take(1)]).toEqual([5000, 5010, 5020, 5040]);
});

it('hands out a burst at once', () => {
  const bucket = new TokenBucket({ ratePerSecond: 10, burst: 3, startMs: 0 });
  expect(Array.from({ length: 5 }, () => bucket.take(1))).toEqual([0, 0, 0, 0, 100]);
});

it('knows no limit when the rate is infinite', () => {
  const bucket = new TokenBucket({ ratePerSecond: Infinity, startMs: 7 });
  expect([bucket.take(1e9), bucket.take(1e9)]).toEqual([7, 7]);
});

it('keeps the schedule, whenever it is asked for the next one', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }), fc.integer({ min: 1, max: 1e6 }), (costs, rate) => {
      const bucket = new TokenBucket({ ratePerSecond: rate, startMs: 0 });
      let before = 0;
      for (const cost of costs) {
        expect(bucket.take(cost)).toBeCloseTo((1000 * before) / rate, 6);
        before += cost;
      }
    }),
  );
});
