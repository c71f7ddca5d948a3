import { describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import * as explore from './functions.ts';
import { bestProbabilities as whileSampling } from './thompson.ts';

const near = (values: readonly number[], digits = 9) => values.map((value) => expect.closeTo(value, digits) as number);

describe('bestProbabilities', () => {
  it('is exact where it can be worked out by hand', () => {
    expect(
      explore.bestProbabilities([
        { good: 2, bad: 0 },
        { good: 0, bad: 0 },
      ]),
    ).toEqual(near([0.75, 0.25], 11));
    // Beta(a, 1) is the largest of several with probability a / sum, for counts with fractions, too.
    const shapes = [1.2, 5, 11.5];
    const arms = shapes.map((a) => ({ good: a - 1, bad: 0 }));
    expect(explore.bestProbabilities(arms)).toEqual(near(shapes.map((a) => a / 17.7)));
    // Beta(1, a) against Beta(1, c): c / (a + c), however far from the middle.
    expect(
      explore.bestProbabilities([
        { good: 0, bad: 9999 },
        { good: 0, bad: 19_999 },
      ])[0],
    ).toBeCloseTo(2 / 3, 9);
    expect([explore.bestProbabilities([]), explore.bestProbabilities([{ good: 3, bad: 1 }])]).toEqual([[], [1]]);
  });

  it('is what sampling uses, more closely', () => {
    const arms = [
      { good: 5, bad: 3 },
      { good: 2.5, bad: 7 },
      { good: 0, bad: 0 },
    ];
    expect([...whileSampling(arms)]).toEqual(near(explore.bestProbabilities(arms), 2));
  });
});

describe('the functions of exploration', () => {
  it('take arrays and give arrays', () => {
    expect(
      explore.prunedTools([
        { good: 90, bad: 10 },
        { good: 10, bad: 90 },
        { good: 0, bad: 0 },
      ]),
    ).toEqual([1]);
    expect(explore.mixUniform([0.8, 0.2], 0.5)).toEqual(near([0.65, 0.35]));
    expect(explore.mixTools([0.5, 0.3, 0.2], [0, 0, 1], [0.25, 0.75], 0.5)).toEqual(near([0.328125, 0.196875, 0.475]));
    expect(explore.penalise([0.5, 0.5], [0], Math.log(2))).toEqual(near([1 / 3, 2 / 3]));
    const values = [1, 0];
    expect(explore.sarsaValues(values, [0, 1], { rate: 0.5, discount: 0.9 })).toEqual([0.5, 0.5]);
    expect(values).toEqual([1, 0]);
    const tasks = explore.taskProbabilities(
      [
        { good: 0, bad: 8 },
        { good: 4, bad: 4 },
      ],
      { groupSize: 8 },
    );
    expect(tasks[0]! + tasks[1]!).toBeCloseTo(1, 12);
    expect(tasks[1]).toBeGreaterThan(0.7);
    expect(explore.signalProbability({ good: 0, bad: 0 }, 2, 1)).toBeCloseTo(1 / 3, 12);
  });

  it('schedule temperatures', () => {
    const at = { base: 1, final: 0.5, round: 5, rounds: 11 };
    expect(['constant', 'linear', 'cosine'].map((word) => explore.temperatureAt(word as 'linear', at))).toEqual(
      near([1, 0.75, 0.75]),
    );
    expect(explore.temperatureAt('entropy', { ...at, multiplier: 1.5 })).toBe(1.5);
    expect(explore.nextMultiplier({ target: 1 }, { base: 1, multiplier: 1, entropy: 0.5 })).toBeCloseTo(Math.exp(0.025), 12);
  });

  it('give intervals', () => {
    expect(explore.wilson(8, 10)).toEqual(near([0.4901568, 0.9433191], 6));
    expect(explore.bounds({ good: 0, bad: 0 })).toEqual([0, 1]);
    expect(explore.posteriorMean({ good: 3, bad: 1 })).toBeCloseTo(4 / 6, 12);
    expect(explore.betaCdf(0.3, 2, 1)).toBeCloseTo(0.09, 12);
  });

  it.each<[string, () => unknown]>([
    ['successes', () => explore.wilson(5, 3)],
    ['successes', () => explore.wilson(NaN, 3)],
    ['arms[0].good', () => explore.bestProbabilities([{ good: -1, bad: 0 }])],
    ['tools', () => explore.mixTools([1], [0, 1], [1], 0.5)],
    ['policy', () => explore.mixUniform([0.5, 0.2], 0.1)],
    ['rewards', () => explore.sarsaValues([0, 0], [1])],
    ['rounds', () => explore.temperatureAt('linear', { base: 1, round: 0, rounds: 0 })],
    ['schedule', () => explore.temperatureAt('steps' as 'linear', { base: 1, round: 0, rounds: 1 })],
    ['groupSize', () => explore.taskProbabilities([], { groupSize: 0 })],
    ['a', () => explore.betaCdf(0.5, 0, 1)],
  ])('name %s when it is wrong', (field, call) => {
    expect(call).toThrow(MillraceError);
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
  });
});
