import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../errors.ts';
import { seededRandom } from '../../random/seeded.ts';
import { comparePaired } from './comparison.ts';
import { clopperPearson, meanInterval, pairedDifferenceInterval, ratioInterval, studentQuantile } from './interval.ts';
import { mcNemar, signFlip } from './paired.ts';
import { passAtK } from './pass-at-k.ts';
import { wilson } from './wilson.ts';

const near = (values: readonly number[], digits = 4) => values.map((value) => expect.closeTo(value, digits) as number);

describe('intervals', () => {
  it('clopperPearson has the values of the tables', () => {
    expect(clopperPearson(8, 10)).toEqual(near([0.4439, 0.9748]));
    expect(clopperPearson(0, 20)).toEqual(near([0, 1 - 0.025 ** (1 / 20)], 10));
    expect(clopperPearson(20, 20)).toEqual(near([0.025 ** (1 / 20), 1], 10));
    expect(clopperPearson(0, 0)).toEqual([0, 1]);
  });

  it("studentQuantile has the values of Student's table", () => {
    const table = [
      [1, 12.706],
      [4, 2.776],
      [30, 2.042],
      [1000, 1.962],
    ] as const;
    for (const [degrees, t] of table) expect(studentQuantile(0.95, degrees)).toBeCloseTo(t, 3);
    expect(studentQuantile(0.99, 9)).toBeCloseTo(3.25, 2);
  });

  it('meanInterval is Student’s, and knows nothing of one value', () => {
    // Mean 3, standard deviation √2.5, n = 5.
    const spread = (2.776445 * Math.sqrt(2.5)) / Math.sqrt(5);
    expect(meanInterval([1, 2, 3, 4, 5])).toEqual(near([3 - spread, 3 + spread]));
    expect(meanInterval([7, 7, 7])).toEqual([7, 7]);
    for (const few of [[], [7]]) expect(meanInterval(few)).toEqual([-Infinity, Infinity]);
  });

  it('ratioInterval counts a task with many calls more, and is that of the mean where all have one', () => {
    const [low, high] = ratioInterval([1, 0, 9], [1, 1, 10]);
    expect((low + high) / 2).toBeCloseTo(10 / 12, 12);
    expect(ratioInterval([1, 0, 1, 1], [1, 1, 1, 1])).toEqual(meanInterval([1, 0, 1, 1]));
    expect(ratioInterval([0, 0], [0, 0])).toEqual([-Infinity, Infinity]);
  });

  it("pairedDifferenceInterval has the values of Newcombe's paper", () => {
    const of = (both: number, wins: number, losses: number, neither: number) =>
      pairedDifferenceInterval({ both, wins, losses, neither });
    expect(of(36, 12, 2, 0)).toEqual(near([0.0569, 0.3404]));
    expect(of(0, 0, 0, 0)).toEqual([-1, 1]);
  });

  it('cover the truth as often as they say, with a seed', () => {
    const random = seededRandom('coverage');
    const [runs, n, p] = [2000, 40, 0.85];
    const has = ([low, high]: readonly number[], value: number): number => (low! <= value && value <= high! ? 1 : 0);
    const rates = Array.from({ length: n + 1 }, (_, successes) => ({
      wilson: has(wilson(successes, n), p),
      exact: has(clopperPearson(successes, n), p),
    }));
    const student = studentQuantile(0.95, n - 1);
    const covered = { wilson: 0, exact: 0, mean: 0 };
    for (let run = 0; run < runs; run++) {
      let successes = 0;
      for (let i = 0; i < n; i++) if (random.uniform() < p) successes += 1;
      covered.wilson += rates[successes]!.wilson;
      covered.exact += rates[successes]!.exact;
      const values = Array.from({ length: n }, () => random.normal());
      const mean = values.reduce((sum, value) => sum + value, 0) / n;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
      const spread = student * Math.sqrt(variance / n);
      if (run === 0) expect(meanInterval(values)).toEqual(near([mean - spread, mean + spread], 10));
      covered.mean += Math.abs(mean) <= spread ? 1 : 0;
    }
    expect(covered.exact / runs).toBeGreaterThan(0.95);
    for (const share of [covered.wilson / runs, covered.mean / runs]) {
      expect(share).toBeGreaterThan(0.93);
      expect(share).toBeLessThan(0.975);
    }
  });
});

describe('tests of a fixed number of tasks', () => {
  it('mcNemar is the exact binomial test', () => {
    expect(mcNemar({ wins: 9, losses: 0 })).toBeCloseTo(2 / 512, 12);
    expect(mcNemar({ wins: 2, losses: 12 })).toBeCloseTo((2 * (1 + 14 + 91)) / 2 ** 14, 12);
    for (const equal of [0, 5]) expect(mcNemar({ wins: equal, losses: equal })).toBe(1);
  });

  it('signFlip goes through all signs of few, and agrees with that where it draws them', () => {
    expect(signFlip([1, 2, 3], seededRandom(1))).toBe(2 / 8);
    expect(signFlip([0, 0], seededRandom(1))).toBe(1);
    // Differences of one size: McNemar's test.
    const wins = [...new Array<number>(15).fill(1), ...new Array<number>(5).fill(-1)];
    expect(signFlip(wins, seededRandom(1))).toBeCloseTo(mcNemar({ wins: 15, losses: 5 }), 2);
  });

  it('passAtK is the share of the draws of k with a success', () => {
    expect(passAtK(4, 1, 1)).toBeCloseTo(0.25, 12);
    expect(passAtK(4, 1, 2)).toBeCloseTo(0.5, 12);
    expect(passAtK(5, 2, 3)).toBeCloseTo(1 - 1 / 10, 12);
    expect([passAtK(8, 0, 8), passAtK(8, 1, 8), passAtK(8, 8, 1)]).toEqual([0, 1, 1]);
  });
});

describe('comparePaired', () => {
  it('counts each task once, whatever the number of its flows', () => {
    const once = comparePaired([1, 1, 0, 1], [0, 1, 1, 0]);
    expect(once).toMatchObject({ tasks: 4, wins: 2, losses: 1, difference: 0.25, decision: 'undecided', threshold: 20 });
    const often = comparePaired([0.5, 1, 0.25, 1], [0.25, 1, 0.5, 0]);
    expect(often).toMatchObject({ tasks: 4, wins: 2, losses: 1, evidence: once.evidence });
    expect(comparePaired([], [])).toMatchObject({ tasks: 0, difference: 0, ci95: [-1, 1], pValue: 1, evidence: 1 });
  });

  it('says the opposite when the two are exchanged', () => {
    const rates = fc.array(fc.tuple(fc.constantFrom(0, 0.5, 1), fc.constantFrom(0, 0.5, 1)), { maxLength: 60 });
    fc.assert(
      fc.property(rates, (pairs) => {
        const [a, b] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
        const [ab, ba] = [comparePaired(a, b), comparePaired(b, a)];
        expect([ba.wins, ba.losses, ba.evidence, ba.pValue]).toEqual([ab.losses, ab.wins, ab.evidence, ab.pValue]);
        expect(ba.ci95).toEqual(near([-ab.ci95[1], -ab.ci95[0]], 9));
        expect(ab.ci95[0]).toBeLessThanOrEqual(ab.difference + 1e-12);
        expect(ab.ci95[1]).toBeGreaterThanOrEqual(ab.difference - 1e-12);
        const mirrored = { better: 'worse', worse: 'better', undecided: 'undecided' };
        expect(ba.decision).toBe(mirrored[ab.decision]);
      }),
    );
  });

  it.each<[string, () => unknown]>([
    ['successes', () => clopperPearson(3, 2)],
    ['level', () => meanInterval([1, 2], 1)],
    ['denominators', () => ratioInterval([1], [])],
    ['wins', () => mcNemar({ wins: 0.5, losses: 0 })],
    ['k', () => passAtK(4, 1, 5)],
    ['candidate[0]', () => comparePaired([2], [1])],
    ['baseline', () => comparePaired([1], [1, 0])],
    ['alpha', () => comparePaired([1], [1], { alpha: 0 })],
  ])('names %s when it is wrong', (field, call) => {
    expect(call).toThrow(MillraceError);
    expect(call).toThrow(expect.objectContaining({ code: 'invalid_argument', field }) as Error);
  });
});
