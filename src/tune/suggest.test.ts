import { describe, expect, it } from 'vitest';
import { seededRandom } from '../random/seeded.ts';
import { nextValues, type SearchPlan, type Trial } from './search.ts';
import { drawValues, type Space, type Values } from './space.ts';
import { fidelityOf, suggest } from './suggest.ts';

/** Branin's function, turned round: its greatest value, at three places, is −0.397887. */
function branin({ x, y }: Values): number {
  const [a, b] = [Number(x), Number(y)];
  const slope = b - (5.1 / (4 * Math.PI ** 2)) * a * a + (5 / Math.PI) * a - 6;
  return -(slope * slope + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(a) + 10);
}

const BRANIN: Space = {
  x: { kind: 'linear', low: -5, high: 10, integer: false },
  y: { kind: 'linear', low: 0, high: 15, integer: false },
};

function planOf(space: Space, more: Partial<SearchPlan> = {}): SearchPlan {
  return {
    space,
    objective: { kind: 'held-out-success' },
    trials: 24,
    initial: 5,
    seed: 1,
    halving: { rounds: [10], keep: 1 },
    ...more,
  };
}

/** Runs a search on a function in place of a cluster. */
function searched(plan: SearchPlan, score: (values: Values) => number): Trial[] {
  const trials: Trial[] = [];
  while (trials.length < plan.trials) {
    const values = nextValues(plan, trials, {}, () => true);
    if (values === undefined) break;
    const scores = [{ round: plan.halving.rounds.at(-1)!, score: score(values) }];
    trials.push({ number: trials.length + 1, job: '', values, state: 'done', rounds: 10, seconds: 0, measurements: [], scores });
  }
  return trials;
}

const best = (scores: readonly number[]): number => Math.max(...scores);

describe('suggest', () => {
  it("finds Branin's optimum within 24 trials, and is nearer than chance for every seed", { timeout: 60_000 }, () => {
    const gaps = [1, 2, 3].map((seed) => {
      const found = best(searched(planOf(BRANIN, { seed }), branin).map(({ values }) => branin(values)));
      const random = seededRandom(seed).fork('chance');
      const chance = best(Array.from({ length: 24 }, () => branin(drawValues(BRANIN, random))));
      expect(found).toBeGreaterThan(chance);
      return -0.397887 - found;
    });
    // Chance leaves about 2 after 24 trials.
    for (const gap of gaps) expect(gap).toBeLessThan(0.3);
    expect(gaps.sort((a, b) => a - b)[1]).toBeLessThan(0.1);
  });

  it('uses what trials showed that were stopped early', () => {
    const space: Space = { x: { kind: 'linear', low: 0, high: 1, integer: false } };
    // Whole trials were seen in the worse half only; at the first rung the better half showed what it can do.
    const score = (x: number, fidelity: number): number => 1 - (x - 0.75) ** 2 - 0.3 * (1 - fidelity);
    const observations = [
      ...[0, 0.1, 0.25].flatMap((x) => [0, 1].map((fidelity) => ({ values: { x }, fidelity, score: score(x, fidelity) }))),
      ...[0.5, 0.7, 0.8, 1].map((x) => ({ values: { x }, fidelity: 0, score: score(x, 0) })),
    ];
    const tried = [0, 0.1, 0.25, 0.5, 0.7, 0.8, 1].map((x) => ({ x }));
    const { x } = suggest({ space, observations, tried, random: seededRandom(1) })!;
    expect(Number(x)).toBeGreaterThan(0.55);
    expect(Number(x)).toBeLessThan(0.95);
  });

  it('tries nothing twice, and ends when nothing is left', () => {
    const space: Space = { a: { kind: 'choices', choices: [8, 16, 32] }, b: { kind: 'choices', choices: ['bag', 'gru'] } };
    const trials = searched(planOf(space), ({ a, b }) => Number(a) + (b === 'gru' ? 1 : 0));
    expect(trials.length).toBe(6);
    expect(new Set(trials.map(({ values }) => JSON.stringify(values))).size).toBe(6);
  });

  it('keeps to values that go together', () => {
    const feasible = ({ x, y }: Values): boolean => Number(y) > Number(x);
    const trials: Trial[] = [];
    for (let i = 0; i < 10; i += 1) {
      const values = nextValues(planOf(BRANIN), trials, {}, feasible)!;
      expect(feasible(values)).toBe(true);
      const scores = [{ round: 10, score: branin(values) }];
      trials.push({ number: i + 1, job: '', values, state: 'done', rounds: 10, seconds: 0, measurements: [], scores });
    }
  });

  it('has an answer when all scores are the same', () => {
    const observations = [0.2, 0.8].map((x) => ({ values: { x }, fidelity: 1, score: 0 }));
    const space: Space = { x: { kind: 'linear', low: 0, high: 1, integer: false } };
    const values = suggest({ space, observations, tried: observations.map((o) => o.values), random: seededRandom(1) });
    expect(values!['x']).toSatisfy((x: number) => x >= 0 && x <= 1);
  });
});

describe('fidelityOf', () => {
  it('goes by the logarithm of the rounds', () => {
    expect([40, 80, 160].map((round) => fidelityOf(round, [40, 80, 160]))).toEqual([0, 0.5, 1]);
    expect(fidelityOf(300, [300])).toBe(1);
  });
});
