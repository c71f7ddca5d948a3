import { expect, it } from 'vitest';
import { isMonth, monthOf, monthsBefore } from './month.ts';

it('months begin at midnight UTC', () => {
  expect(monthOf(Date.UTC(2026, 11, 1) - 1)).toBe('2026-11');
  expect(monthOf(Date.UTC(2026, 11, 1))).toBe('2026-12');
  expect(['2026-11', '2026-00', '2026-13', 'x2026-11'].map(isMonth)).toEqual([true, false, false, false]);
});

it('months before another are those since a time, at most ten years', () => {
  expect(monthsBefore('2027-02', Date.UTC(2026, 10, 30))).toEqual(['2026-11', '2026-12', '2027-01']);
  expect(monthsBefore('2027-02', Date.UTC(2027, 1, 1))).toEqual([]);
  expect(monthsBefore('2027-02', 0)).toHaveLength(120);
});
