import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { betaCdf, logGamma } from '../algo/stats/beta.ts';
import { bounds, posteriorMean } from './beta.ts';
import { bestProbabilities } from './thompson.ts';
import { seededRandom } from '../random/seeded.ts';
import type { Random } from '../random/random.ts';

const count = fc.double({ min: 0, max: 2000, noNaN: true });
const outcomes = fc.record({ good: count, bad: count });

/** A Beta draw by two Gamma draws (Marsaglia and Tsang), for shapes of at least 1. */
function beta(random: Random, a: number, b: number): number {
  const gamma = (shape: number): number => {
    const d = shape - 1 / 3;
    for (;;) {
      const x = random.normal();
      const v = (1 + x / Math.sqrt(9 * d)) ** 3;
      if (v > 0 && Math.log(random.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  const x = gamma(a);
  return x / (x + gamma(b));
}

describe('the Beta distribution', () => {
  it('has the values that can be computed by hand', () => {
    expect(betaCdf(0.3, 1, 1)).toBeCloseTo(0.3, 12);
    expect(betaCdf(0.3, 2, 1)).toBeCloseTo(0.09, 12);
    expect(betaCdf(0.3, 1, 4)).toBeCloseTo(1 - 0.7 ** 4, 12);
    // P(at least 3 of 5 at p) = I_p(3, 3).
    const p = 0.4;
    expect(betaCdf(p, 3, 3)).toBeCloseTo(10 * p ** 3 * 0.6 ** 2 + 5 * p ** 4 * 0.6 + p ** 5, 12);
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
    expect(logGamma(11)).toBeCloseTo(Math.log(3628800), 11);
    expect(posteriorMean({ good: 3, bad: 1 })).toBeCloseTo(4 / 6, 12);
  });

  it('is monotone, within 0 to 1, and mirrored', () => {
    fc.assert(
      fc.property(outcomes, fc.double({ min: 0, max: 1, noNaN: true }), ({ good, bad }, x) => {
        const [a, b] = [1 + good, 1 + bad];
        const value = betaCdf(x, a, b);
        expect(value).toBeGreaterThanOrEqual(-1e-12);
        expect(value).toBeLessThanOrEqual(1 + 1e-12);
        expect(value + betaCdf(1 - x, b, a)).toBeCloseTo(1, 8);
        expect(betaCdf(Math.min(1, x + 0.01), a, b)).toBeGreaterThanOrEqual(value - 1e-9);
      }),
    );
  });

  it('has bounds around the mean that narrow with evidence', () => {
    const [low, high] = bounds({ good: 5, bad: 5 }, 2.58);
    const [closer, below] = bounds({ good: 500, bad: 500 }, 2.58);
    expect(low).toBeLessThan(closer);
    expect(below).toBeLessThan(high);
    expect(bounds({ good: 0, bad: 0 }, 2)).toEqual([0, 1]);
  });
});

describe('bestProbabilities', () => {
  it('is a distribution that prefers more success and does not depend on the order', () => {
    fc.assert(
      fc.property(fc.array(outcomes, { minLength: 1, maxLength: 8 }), (arms) => {
        const best = bestProbabilities(arms);
        expect(best.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
        for (const p of best) expect(p).toBeGreaterThanOrEqual(0);
        const backwards = bestProbabilities([...arms].reverse()).reverse();
        for (const [i, p] of best.entries()) expect(backwards[i]).toBeCloseTo(p, 9);
        const better = bestProbabilities(arms.map((arm, i) => (i === 0 ? { good: arm.good + 5, bad: arm.bad } : arm)));
        expect(better[0]).toBeGreaterThanOrEqual(best[0]! - 2e-3);
      }),
      { numRuns: 50 },
    );
  });

  it('gives alike arms alike probabilities', () => {
    for (const n of [1, 2, 5, 14]) {
      const best = bestProbabilities(Array.from({ length: n }, () => ({ good: 0, bad: 0 })));
      for (const p of best) expect(p).toBeCloseTo(1 / n, 10);
    }
  });

  it('is how often the arm wins when posteriors are drawn', () => {
    const arms = [
      { good: 3, bad: 9 },
      { good: 0, bad: 0 },
      { good: 40.5, bad: 31.5 },
      { good: 2, bad: 200 },
      { good: 800, bad: 640 },
    ];
    const random = seededRandom(7);
    const wins = new Float64Array(arms.length);
    const draws = 40_000;
    for (let i = 0; i < draws; i++) {
      const drawn = arms.map(({ good, bad }) => beta(random, 1 + good, 1 + bad));
      wins[drawn.indexOf(Math.max(...drawn))]! += 1 / draws;
    }
    const best = bestProbabilities(arms);
    // Two of the arms' means are within a hundredth: sampling error is 0.0025, the integral's 0.001.
    for (const [i, share] of wins.entries()) expect(Math.abs(best[i]! - share)).toBeLessThan(0.01);
  });
});

/**
 * Which probability of a Thompson proposal must be recorded: that given the posterior draw, or the one averaged over draws? A
 * problem with two steps and two tools, small enough to list everything. `draws` are the tools that win, with their probabilities.
 */
describe('what to record of a Thompson proposal', () => {
  const policy = [0.7, 0.3];
  const draws = [0.2, 0.8];
  const mix = 0.5;
  const given = (winner: number, action: number): number => (1 - mix) * policy[action]! + mix * (winner === action ? 1 : 0);
  const marginal = (action: number): number => draws[0]! * given(0, action) + draws[1]! * given(1, action);
  const reward = (first: number, second: number): number => [1, 0, 0, 5][2 * first + second]!;
  const both = [0, 1] as const;
  let exact = 0;
  for (const a of both) for (const b of both) exact += policy[a]! * policy[b]! * reward(a, b);

  /** Mean and second moment of the weighted reward; winners are drawn once a step, or once a flow. */
  function moments(shared: boolean, recorded: (winner: number, action: number) => number): { mean: number; second: number } {
    let [mean, second] = [0, 0];
    for (const w1 of both)
      for (const w2 of both) {
        if (shared && w1 !== w2) continue;
        const chance = draws[w1]! * (shared ? 1 : draws[w2]!);
        for (const a of both)
          for (const b of both) {
            const probability = chance * given(w1, a) * given(w2, b);
            const value = ((policy[a]! * policy[b]!) / (recorded(w1, a) * recorded(w2, b))) * reward(a, b);
            mean += probability * value;
            second += probability * value * value;
          }
      }
    return { mean, second };
  }
  const average = (_: number, action: number): number => marginal(action);

  it('is unbiased either way, and varies less with the average over draws', () => {
    const [conditional, averaged] = [moments(false, given), moments(false, average)];
    expect(conditional.mean).toBeCloseTo(exact, 12);
    expect(averaged.mean).toBeCloseTo(exact, 12);
    expect(averaged.second).toBeLessThan(conditional.second - 0.1);
  });

  it('with one draw for the whole flow would be biased with averages step by step', () => {
    expect(moments(true, given).mean).toBeCloseTo(exact, 12);
    expect(Math.abs(moments(true, average).mean - exact)).toBeGreaterThan(0.05);
  });
});
