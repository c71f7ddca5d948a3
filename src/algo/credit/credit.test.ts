import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rlooAdvantages } from '../rloo/advantages.ts';
import { broadcast, discounted } from './broadcast.ts';
import { leaveOneOutReturnsToGo, returnsToGo } from './return-to-go.ts';
import { potentialShaping } from './shaping.ts';
import { whiten, whitenGroups } from './whiten.ts';

const close = (values: number[]) => values.map((value) => expect.closeTo(value, 10) as number);
const rewards = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 6 });

describe('sharing out one advantage', () => {
  it('gives all of it to everyone, or less the longer before the end', () => {
    expect(broadcast(2, 3)).toEqual([2, 2, 2]);
    expect(discounted(2, 3, 0.5)).toEqual([0.5, 1, 2]);
    expect(discounted(1, 3)).toEqual(close([0.9801, 0.99, 1]));
    expect(discounted(1, 0)).toEqual([]);
  });
});

describe('leaveOneOutReturnsToGo', () => {
  it('is what comes minus what the others got', () => {
    expect(returnsToGo([1, 0, 2], 0.5)).toEqual([1.5, 1, 2]);
    expect(leaveOneOutReturnsToGo([[1, 0, 2], [1], [0, 5]])).toEqual([[3 - 3, 2 - 3, 2 - 3], [1 - 4], [5 - 2, 5 - 2]]);
  });

  it('is RLOO where the reward comes at the end', () => {
    fc.assert(
      fc.property(rewards, (ends) => {
        const steps = ends.map((reward, i) => [...new Array<number>(i % 3).fill(0), reward]);
        const expected = rlooAdvantages(ends);
        leaveOneOutReturnsToGo(steps).forEach((of, i) => expect(of).toEqual(close(of.map(() => expected[i]!))));
      }),
    );
  });

  it('is 0 for members that do not count, lone ones and equal returns', () => {
    expect(leaveOneOutReturnsToGo([[1, 1], [0], [9]], { valid: [true, true, false] })).toEqual([[2, 1], [-2], [0]]);
    expect(leaveOneOutReturnsToGo([[1, 1], [NaN]])).toEqual([[0, 0], [0]]);
    expect(leaveOneOutReturnsToGo(new Array<number[]>(7).fill([0, 1 / 3]))).toEqual(new Array<number[]>(7).fill([0, 0]));
    expect(leaveOneOutReturnsToGo([])).toEqual([]);
  });
});

describe('potentialShaping', () => {
  it('ends at a potential of 0', () => {
    expect(potentialShaping([1, 3, 2], 0.5)).toEqual([0.5, -2, -2]);
    expect(potentialShaping([], 0.9)).toEqual([]);
  });

  it('adds the same to the return whatever happened: minus the first potential', () => {
    fc.assert(
      fc.property(rewards, fc.double({ min: 0, max: 1, noNaN: true }), (potentials, gamma) => {
        expect(returnsToGo(potentialShaping(potentials, gamma), gamma)[0]).toBeCloseTo(-potentials[0]!, 8);
      }),
    );
  });
});

describe('whiten', () => {
  it('gives mean 0 and deviation 1', () => {
    expect(whiten([1, 2, 3])).toEqual([-1, 0, 1].map((value) => expect.closeTo(value, 6) as number));
    expect(whiten([1, 3], { std: 'population' })).toEqual([-1, 1].map((value) => expect.closeTo(value, 6) as number));
  });

  it('counts a trajectory once, whatever its length, over all groups', () => {
    const all = [true, true];
    expect(
      whitenGroups(
        [
          [1, 0],
          [1, 0],
        ],
        [all, all],
      )[1],
    ).toEqual([Math.sqrt(3) / 2, -Math.sqrt(3) / 2].map((value) => expect.closeTo(value, 6) as number));
  });

  it('gives exactly 0 for equal values, and for what does not count', () => {
    expect(whiten(new Array<number>(7).fill(1 / 3))).toEqual(new Array<number>(7).fill(0));
    expect(whiten([4])).toEqual([0]);
    expect(whiten([30000000.000000004, 3e7, 3e7], { epsilon: 0 })).toEqual([0, 0, 0]);
    expect(whiten([2e-10, 1e-10], { epsilon: 0 })[0]).toBeCloseTo(Math.SQRT1_2, 10);
    expect(whiten([1, NaN, 3, 50], { valid: [true, true, true, false] }).map((value) => Math.round(value * 1e4))).toEqual([
      -7071, 0, 7071, 0,
    ]);
  });
});
