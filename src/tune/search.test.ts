import { describe, expect, it } from 'vitest';
import type { RungScore } from './objective.ts';
import {
  bestTrial,
  failuresInARow,
  initialValues,
  nextValues,
  objectiveOf,
  observationsOf,
  shouldContinueTrial,
  type SearchPlan,
  type Trial,
} from './search.ts';
import type { Values } from './space.ts';

const PLAN: SearchPlan = {
  space: {
    rate: { kind: 'log', low: 1e-3, high: 1e-1, integer: false },
    size: { kind: 'choices', choices: [8, 16] },
  },
  objective: { kind: 'held-out-success' },
  trials: 8,
  initial: 4,
  seed: 7,
  halving: { rounds: [40, 80, 160], keep: 0.5 },
};

function trial(number: number, values: Values, scores: RungScore[], more: Partial<Trial> = {}): Trial {
  const measurements = scores.map(({ round, score }) => ({ round, trajectories: 128 * round, success: score }));
  return { number, job: `j-${number}`, values, state: 'done', rounds: 160, seconds: 1, measurements, scores, ...more };
}
const all = (): boolean => true;
const rungs = (...scores: number[]): RungScore[] => scores.map((score, i) => ({ round: PLAN.halving.rounds[i]!, score }));

describe('the first trials', () => {
  it("are the job's own values and a Latin hypercube, the same for the same seed", () => {
    const own = { rate: 5e-3, size: 16 };
    const first = initialValues(PLAN, own);
    expect(first).toHaveLength(4);
    expect(first[0]).toEqual(own);
    expect(initialValues(PLAN, own)).toEqual(first);
    expect(initialValues({ ...PLAN, seed: 8 }, own)).not.toEqual(first);
    expect(nextValues(PLAN, [], own, all)).toEqual(own);
  });

  it("leave out the job's own values where the space does not have them", () => {
    for (const own of [{ rate: 0.5, size: 16 }, { rate: 5e-3, size: 12 }, {}]) {
      const first = initialValues(PLAN, own);
      expect(first).toHaveLength(4);
      expect(first[0]).not.toEqual(own);
    }
  });

  it('are replaced where they do not go together as a job', () => {
    const own = { rate: 5e-3, size: 16 };
    expect(nextValues(PLAN, [], own, ({ size }) => size === 8)!['size']).toBe(8);
    expect(nextValues(PLAN, [], own, () => false)).toBeUndefined();
  });

  it('go on while no trial has shown anything', () => {
    const failed = [1, 2, 3, 4, 5].map((n) => trial(n, { rate: n / 100, size: 8 }, [], { state: 'failed' }));
    expect(observationsOf(PLAN, failed)).toEqual([]);
    expect(nextValues(PLAN, failed, {}, all)).toBeDefined();
  });
});

describe('a search', () => {
  it('counts a failed trial as the worst that was seen', () => {
    const trials = [
      trial(1, { rate: 1e-2, size: 8 }, rungs(0.3, 0.5, 0.6)),
      trial(2, { rate: 2e-2, size: 8 }, [], { state: 'failed' }),
    ];
    expect(observationsOf(PLAN, trials)).toEqual([
      { values: trials[0]!.values, score: 0.3, fidelity: 0 },
      { values: trials[0]!.values, score: 0.5, fidelity: 0.5 },
      { values: trials[0]!.values, score: 0.6, fidelity: 1 },
      { values: trials[1]!.values, score: 0.3, fidelity: 1 },
    ]);
    expect(failuresInARow(trials)).toBe(1);
    expect(failuresInARow(trials.slice(0, 1))).toBe(0);
  });

  it('compares a trial with those before it at the same rung, and never stops one at the last', () => {
    const before = [trial(1, {}, rungs(0.3, 0.5, 0.6)), trial(2, {}, rungs(0.2), { state: 'stopped' })];
    expect(shouldContinueTrial(PLAN, before, [])).toBe(true);
    expect(shouldContinueTrial(PLAN, before, rungs(0.25))).toBe(true);
    expect(shouldContinueTrial(PLAN, before, rungs(0.1))).toBe(false);
    expect(shouldContinueTrial(PLAN, before, rungs(0.25, 0.4))).toBe(false);
    expect(shouldContinueTrial(PLAN, before, rungs(0.25, 0.6))).toBe(true);
    expect(shouldContinueTrial(PLAN, before, rungs(0.25, 0.6, 0))).toBe(true);
  });

  it('is won by the best of those that came furthest', () => {
    const stopped = trial(1, {}, rungs(0.9), { state: 'stopped' });
    const whole = trial(2, {}, rungs(0.2, 0.4, 0.5));
    const equal = trial(3, {}, rungs(0.3, 0.4, 0.5));
    expect(bestTrial([])).toBeUndefined();
    expect(bestTrial([stopped])).toBe(stopped);
    expect(bestTrial([stopped, whole, equal])).toBe(whole);
    expect(bestTrial([trial(4, {}, [], { state: 'failed' })])).toBeUndefined();
    expect(objectiveOf(PLAN.objective, whole)).toBe(0.5);
    expect(objectiveOf({ kind: 'trajectories-to', target: 0.4 }, whole)).toBe(128 * 80);
    expect(objectiveOf({ kind: 'trajectories-to', target: 0.6 }, whole)).toBeUndefined();
  });

  it('asks the model the same question again after an interruption', () => {
    const trials = [0.3, 0.5, 0.6, 0.4].map((score, i) => trial(i + 1, { rate: 0.01 * (i + 1), size: 8 }, rungs(score)));
    const again = JSON.parse(JSON.stringify(trials)) as Trial[];
    expect(nextValues(PLAN, again, {}, all)).toEqual(nextValues(PLAN, trials, {}, all));
  });
});
