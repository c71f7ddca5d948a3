import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectedImprovement, normalDensity, normalShare } from './expected-improvement.ts';

/** ∫ max(0, f − best) N(f; mean, deviation²) df by Simpson's rule over the part that is not 0. */
function integrated(mean: number, deviation: number, best: number): number {
  const [from, to] = [Math.max(best, mean - 12 * deviation), mean + 12 * deviation];
  if (to <= from) return 0;
  const parts = 4000;
  const h = (to - from) / parts;
  let sum = 0;
  for (let i = 0; i <= parts; i += 1) {
    const f = from + i * h;
    const weight = i === 0 || i === parts ? 1 : i % 2 === 1 ? 4 : 2;
    sum += (weight * (f - best) * normalDensity((f - mean) / deviation)) / deviation;
  }
  return (sum * h) / 3;
}

describe('expectedImprovement', () => {
  it('is the integral that it stands for', () => {
    const value = fc.double({ min: -3, max: 3, noNaN: true });
    fc.assert(
      fc.property(value, fc.double({ min: 0.01, max: 3, noNaN: true }), value, (mean, deviation, best) => {
        expect(expectedImprovement(mean, deviation, best)).toBeCloseTo(integrated(mean, deviation, best), 7);
      }),
    );
  });

  it('is the gain where nothing is uncertain, and never negative', () => {
    expect(expectedImprovement(2, 0, 1.5)).toBe(0.5);
    expect(expectedImprovement(1, 0, 1.5)).toBe(0);
    expect(expectedImprovement(-100, 0.1, 1)).toBeGreaterThanOrEqual(0);
    expect(expectedImprovement(0, 1, 0)).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 15);
  });
});

describe('normalShare', () => {
  // Tables of the normal distribution, e.g. Abramowitz and Stegun 26.2.
  it.each([
    [0, 0.5],
    [1, 0.8413447460685429],
    [-1.959963984540054, 0.025],
    [3, 0.9986501019683699],
    [-4, 3.167124183311986e-5],
    [-6, 9.865876450376946e-10],
    [-10, 7.61985302416052e-24],
    [40, 1],
    [-40, 0],
  ])('of %d is %d', (x, share) => {
    expect(normalShare(x)).toBeCloseTo(share, 14);
    if (share > 0) expect(normalShare(x) / share).toBeCloseTo(1, 9);
  });
});
