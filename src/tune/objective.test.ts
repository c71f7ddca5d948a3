import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rungScores, trajectoriesTo, type Measurement, type Objective } from './objective.ts';

const RUNGS = [40, 80, 160];
const curve = (...successes: number[]): Measurement[] =>
  successes.map((success, i) => ({ round: 20 * (i + 1), trajectories: 2560 * (i + 1), success }));

describe('held-out-success', () => {
  it('is the success at each rung that was come to', () => {
    const scores = rungScores({ kind: 'held-out-success' }, curve(0.1, 0.2, 0.3, 0.4, 0.5), RUNGS, 20480);
    expect(scores).toEqual([
      { round: 40, score: 0.2 },
      { round: 80, score: 0.4 },
    ]);
  });
});

describe('trajectories-to', () => {
  const objective: Objective = { kind: 'trajectories-to', target: 0.8 };

  it('is the first evaluation there, also when a later one is worse', () => {
    expect(trajectoriesTo(0.8, curve(0.5, 0.8, 0.7))).toBe(5120);
    expect(trajectoriesTo(0.8, curve(0.5, 0.7))).toBeUndefined();
    const scores = rungScores(objective, curve(0.5, 0.6, 0.8), RUNGS, 20480);
    expect(scores.map(({ round }) => round)).toEqual(RUNGS);
    expect(scores[1]!.score).toBeCloseTo(-Math.log2(7.68), 12);
    expect(scores[2]).toEqual({ round: 160, score: scores[1]!.score });
    expect(scores[0]!.score).toBeCloseTo(-Math.log2(20.48) - 1 - 0.5, 12);
  });

  it('ranks trials by whether, how soon and how nearly they got there', () => {
    const success = fc.double({ min: 0, max: 0.79, noNaN: true });
    const misses = fc.array(success, { minLength: 8, maxLength: 8 });
    const score = (...successes: number[]): number => rungScores(objective, curve(...successes), RUNGS, 20480).at(-1)!.score;
    fc.assert(
      fc.property(misses, misses, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 }), (a, b, i, j) => {
        const reached = (list: number[], at: number): number[] => list.map((value, k) => (k === at ? 0.9 : value));
        expect(score(...reached(a, i))).toBeGreaterThan(score(...b));
        if (i < j) expect(score(...reached(a, i))).toBeGreaterThan(score(...reached(b, j)));
        if (Math.max(...a) > Math.max(...b) + 1e-9) expect(score(...a)).toBeGreaterThan(score(...b));
      }),
    );
  });

  it('says nothing of a rung that was not come to', () => {
    expect(rungScores(objective, curve(0.1), RUNGS, 20480)).toEqual([]);
    expect(rungScores(objective, curve(0.1, 0.2, 0.3), RUNGS, 20480).map(({ round }) => round)).toEqual([40]);
  });
});
