import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areEqual } from './equal.ts';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('areEqual', () => {
  it.each([
    ['neighbouring doubles around 3e7', [30000000.000000004, 30000000]],
    ['neighbouring doubles around 1e16', [1e16, 1e16 + 2]],
    ['the same, below 0', [-30000000.000000004, -30000000]],
    ['one sum in two orders', [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1]],
    ['what is left of equals that cancel', [0.1 + 0.2 - 0.3, 0]],
    ['a thousand tenths, and a hundred', [sum(new Array<number>(1000).fill(0.1)), 100]],
    ['one value', [5]],
    ['none', []],
  ])('takes for equal: %s', (_, values) => expect(areEqual(values)).toBe(true));

  it.each([
    ['0 and 1', [0, 1]],
    ['small rewards', [1e-10, 2e-10]],
    ['one apart, far from 0', [1e9, 1e9 + 1]],
    ['a cent in thirty millions', [30000000.01, 30000000]],
    ['values whose difference overflows', [1e308, -1e308]],
  ])('tells apart: %s', (_, values) => expect(areEqual(values)).toBe(false));

  it('answers the same for values that are scaled up, whatever the factor', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(values, fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (integers, factor) => {
        expect(areEqual(integers.map((value) => value * factor))).toBe(new Set(integers.map((value) => value + 0)).size < 2);
      }),
    );
  });
});
