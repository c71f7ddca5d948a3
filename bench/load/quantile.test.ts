import fc from 'fast-check';
import { expect, it } from 'vitest';
import { quantile } from './quantile.ts';

it('is one of the numbers, by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect([0, 0.01, 0.5, 0.99, 1].map((p) => quantile(values, p))).toEqual([1, 1, 50, 99, 100]);
  expect(quantile([7], 0.99)).toBe(7);
  expect(quantile([], 0.5)).toBeNaN();
});

it('has at least the share p of the numbers at or below it, and no smaller one has', () => {
  const cases = [
    fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 }),
    fc.double({ min: 0.01, max: 1, noNaN: true }),
  ] as const;
  fc.assert(
    fc.property(...cases, (values, p) => {
      const found = quantile(values, p);
      const share = (limit: number): number => values.filter((value) => value <= limit).length / values.length;
      expect(share(found)).toBeGreaterThanOrEqual(p);
      expect(share(found - 1)).toBeLessThan(p);
    }),
  );
});
