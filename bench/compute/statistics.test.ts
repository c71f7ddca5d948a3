import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, relativeDifference, repetitionsFor } from './statistics.ts';

describe('median', () => {
  it('is the middle, whatever the order, and leaves its input alone', () => {
    const values = [9, 1, 5];
    expect(median(values)).toBe(5);
    expect(values).toEqual([9, 1, 5]);
    expect(median([4, 1, 100, 2])).toBe(3);
    expect(median([])).toBeNaN();
  });

  it('has as many values below as above', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }), (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

it('relativeDifference is in relation to the larger value', () => {
  expect(relativeDifference(0, 0)).toBe(0);
  expect(relativeDifference(90, 100)).toBeCloseTo(0.1, 12);
  expect(relativeDifference(-1, 1)).toBe(2);
  expect(relativeDifference(NaN, 1)).toBe(Infinity);
  expect(relativeDifference(1, Infinity)).toBe(Infinity);
});

it('repetitionsFor fills a turn, within bounds', () => {
  expect(repetitionsFor(150, 10)).toBe(15);
  expect(repetitionsFor(150, 4000)).toBe(1);
  expect(repetitionsFor(150, 0)).toBe(500);
});
