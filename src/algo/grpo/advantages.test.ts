import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grpoAdvantages } from './advantages.ts';

const REWARDS = [1, 1, 0, 0, 1, 0, 0, 0];

describe('grpoAdvantages', () => {
  it('gives the golden numbers', () => {
    const sample = grpoAdvantages(REWARDS, { std: 'sample', epsilon: 1e-4 });
    expect(sample[0]).toBeCloseTo(1.207381, 6);
    expect(sample[2]).toBeCloseTo(-0.724429, 6);
    expect(grpoAdvantages(REWARDS, { std: 'population', epsilon: 0 })[0]).toBeCloseTo(0.625 / 0.4841229, 6);
    expect(grpoAdvantages(REWARDS, { std: 'none' })).toEqual(REWARDS.map((reward) => reward - 0.375));
  });

  it('computes the deviation per trajectory, not per decision', () => {
    const [right, wrong] = grpoAdvantages([1, 0], { epsilon: 0 });
    expect(right).toBeCloseTo(0.7071, 4);
    expect(wrong).toBeCloseTo(-0.7071, 4);
  });

  it.each([
    ['six of 0.7, whose mean is not 0.7 in floating point', new Array<number>(6).fill(0.7)],
    ['seven of a third, which would be 0 / 0', new Array<number>(7).fill(1 / 3)],
    ['neighbouring doubles, far from 0', [30000000.000000004, 30000000]],
    ['neighbouring doubles, near 0', [0.1 + 0.2 - 0.3, 0]],
    ['a single member', [1]],
    ['nobody', []],
  ])('gives exactly 0 for %s', (_, rewards) => {
    expect(grpoAdvantages(rewards, { epsilon: 0 })).toEqual(rewards.map(() => 0));
  });

  it('keeps invalid and non-finite rewards out of mean and deviation', () => {
    const valid = [true, true, false, true, true];
    const advantages = grpoAdvantages([1, 0, 100, NaN, Infinity], { valid, epsilon: 0 });
    expect(advantages).toEqual([Math.SQRT1_2, -Math.SQRT1_2, 0, 0, 0].map((value) => expect.closeTo(value, 12)));
    expect(grpoAdvantages([1, 0], { valid: [true, false] })).toEqual([0, 0]);
  });

  it('without epsilon does not depend on the scale of the rewards, nor on a shift', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 20 }),
        fc.integer({ min: -20, max: 40 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        (rewards, exponent, shift) => {
          const advantages = grpoAdvantages(rewards, { epsilon: 0 });
          const scaled = grpoAdvantages(
            rewards.map((reward) => reward * 2 ** exponent),
            { epsilon: 0 },
          );
          const shifted = grpoAdvantages(
            rewards.map((reward) => reward + shift),
            { epsilon: 0 },
          );
          scaled.forEach((advantage, index) => expect(advantage).toBeCloseTo(advantages[index]!, 10));
          shifted.forEach((advantage, index) => expect(advantage).toBeCloseTo(advantages[index]!, 5));
        },
      ),
    );
  });

  it('sums to 0 and does not care for shifts', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 2, maxLength: 20 }),
        fc.integer({ min: -9, max: 9 }),
        (rewards, shift) => {
          const advantages = grpoAdvantages(rewards);
          expect(advantages.reduce((sum, advantage) => sum + advantage, 0)).toBeCloseTo(0, 8);
          const shifted = grpoAdvantages(rewards.map((reward) => reward + shift));
          shifted.forEach((advantage, index) => expect(advantage).toBeCloseTo(advantages[index]!, 8));
        },
      ),
    );
  });
});
