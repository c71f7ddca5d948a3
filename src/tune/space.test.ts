import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded.ts';
import {
  combinations,
  drawValues,
  encode,
  contains,
  latinHypercube,
  shareOf,
  valueAt,
  type Parameter,
  type Space,
} from './space.ts';

const range = fc
  .record({ low: fc.double({ min: 1e-6, max: 1, noNaN: true }), times: fc.double({ min: 1.5, max: 1e4, noNaN: true }) })
  .chain(({ low, times }) =>
    fc.constantFrom('linear' as const, 'log' as const).map((kind) => ({ kind, low, high: low * times, integer: false })),
  );
const whole = fc
  .record({ low: fc.integer({ min: 1, max: 50 }), more: fc.integer({ min: 1, max: 200 }) })
  .chain(({ low, more }) =>
    fc.constantFrom('linear' as const, 'log' as const).map((kind) => ({ kind, low, high: low + more, integer: true })),
  );
const choices = fc.oneof(
  fc.uniqueArray(fc.integer({ min: -9, max: 99 }), { minLength: 2, maxLength: 6 }),
  fc.uniqueArray(fc.string({ maxLength: 5 }), { minLength: 2, maxLength: 6 }),
  fc.constant([true, false]),
);
const parameter: fc.Arbitrary<Parameter> = fc.oneof(
  range,
  whole,
  choices.map((list) => ({ kind: 'choices' as const, choices: list })),
);
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('a parameter', () => {
  it('has a value it may have at every share, the ends at the ends', () => {
    fc.assert(
      fc.property(parameter, share, (p, at) => {
        expect(contains(p, valueAt(p, at))).toBe(true);
        if (p.kind === 'choices') return;
        expect([valueAt(p, 0), valueAt(p, 1)]).toEqual([p.low, p.high]);
      }),
    );
  });

  it('has each value at its share, but for rounding', () => {
    fc.assert(
      fc.property(parameter, share, (p, at) => {
        const value = valueAt(p, at);
        if (p.kind === 'choices') {
          if (p.choices.every((choice) => typeof choice === 'number')) expect(valueAt(p, shareOf(p, value))).toBe(value);
          return;
        }
        expect(valueAt(p, shareOf(p, value))).toBe(value);
        if (!p.integer) expect(shareOf(p, value)).toBeCloseTo(at, 2);
      }),
    );
  });

  it('keeps four digits, and is spaced as it says', () => {
    expect(valueAt({ kind: 'log', low: 1e-4, high: 1e-2, integer: false }, 0.5)).toBe(1e-3);
    expect(valueAt({ kind: 'linear', low: 0, high: 1, integer: false }, 1 / 3)).toBe(0.3333);
    expect(valueAt({ kind: 'log', low: 4, high: 64, integer: true }, 0.5)).toBe(16);
    const unsorted: Parameter = { kind: 'choices', choices: [32, 8, 16] };
    expect([0, 0.34, 0.99, 1].map((at) => valueAt(unsorted, at))).toEqual([8, 16, 32, 32]);
    expect([8, 16, 32].map((value) => shareOf(unsorted, value))).toEqual([0, 0.5, 1]);
  });
});

const SPACE: Space = {
  rate: { kind: 'log', low: 1e-3, high: 1e-1, integer: false },
  size: { kind: 'linear', low: 1, high: 9, integer: true },
  name: { kind: 'choices', choices: ['bag', 'gru', 'transformer'] },
};

describe('a space', () => {
  it('is encoded with distance 1 between any two names, which share a length scale', () => {
    const { point, groups } = encode(SPACE, { rate: 1e-2, size: 3, name: 'gru' });
    expect(groups).toEqual([0, 1, 2, 2, 2]);
    expect(point[0]).toBeCloseTo(0.5, 12);
    expect(point[1]).toBe(0.25);
    const others = ['bag', 'transformer'].map((name) => encode(SPACE, { rate: 1e-2, size: 3, name }).point);
    for (const other of others) expect(Math.hypot(...other.map((x, i) => x - point[i]!))).toBeCloseTo(1, 12);
  });

  it('has a Latin hypercube with one point in each part of every parameter', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat(), (count, seed) => {
        const points = latinHypercube(SPACE, count, seededRandom(seed));
        const shares = points.map(({ rate }) => shareOf(SPACE['rate']!, rate!)).sort((x, y) => x - y);
        // Rounded to four digits, a value may fall just outside of its part.
        for (const [i, at] of shares.entries()) expect(Math.abs(at * count - i - 0.5)).toBeLessThan(0.5 + 1e-2);
        const names = points.map(({ name }) => name);
        for (const name of ['bag', 'gru', 'transformer'])
          expect(names.filter((other) => other === name).length).toBeGreaterThanOrEqual(Math.floor(count / 3) - 1);
      }),
    );
  });

  it('counts its combinations', () => {
    expect(combinations(SPACE)).toBe(Infinity);
    const { size, name } = SPACE;
    expect(combinations({ size: size!, name: name! })).toBe(27);
    expect(
      new Set(Array.from({ length: 500 }, (_, i) => JSON.stringify(drawValues({ size: size!, name: name! }, seededRandom(i)))))
        .size,
    ).toBe(27);
  });
});
