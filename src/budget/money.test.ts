import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dollarsOf, formatDollars, microDollars } from './money.ts';
import { modelCost } from './prices.ts';

describe('microDollars', () => {
  it('rounds up, and only what is meant', () => {
    expect([0, 1, 0.1 + 0.2, 0.0021, 1.1 * 3, 1e-6, 1.1e-6, 1e-9].map(microDollars)).toEqual([
      0, 1_000_000, 300_000, 2100, 3_300_000, 1, 2, 1,
    ]);
    for (const wrong of [-1e-9, NaN, Infinity, 1e10]) expect(() => microDollars(wrong)).toThrow(/is no amount of US dollars/);
  });

  it('gives whole micro-dollars back as they were', () => {
    fc.assert(fc.property(fc.nat({ max: 1e12 }), (micros) => void expect(microDollars(dollarsOf(micros))).toBe(micros)));
  });

  it('is never less than what was spent, and less than a micro-dollar more', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (dollars) => {
        const micros = microDollars(dollars);
        expect(micros).toBeGreaterThanOrEqual(dollars * 1e6 * (1 - 1e-14));
        expect(micros).toBeLessThanOrEqual(Math.ceil(dollars * 1e6));
      }),
    );
  });
});

it('formatDollars shows two decimals, and more where there are more', () => {
  expect([0, 1_500_000, 125, 10_000, 1_234_567_890_123, -2_000_000].map(formatDollars)).toEqual([
    '$0.00',
    '$1.50',
    '$0.000125',
    '$0.01',
    '$1,234,567.890123',
    '-$2.00',
  ]);
});

it('modelCost rounds once for a call', () => {
  const prices = { models: { m: { inputPerMillion: 0.15, outputPerMillion: 0.6 } }, tools: {} };
  expect(modelCost(prices, 'm', { tokensIn: 1000, tokensOut: 500 })).toBe(450);
  expect(modelCost(prices, 'm', { tokensIn: 1, tokensOut: 1 })).toBe(1);
  expect(modelCost(prices, 'toString', { tokensIn: 1, tokensOut: 1 })).toBe(0);
});
