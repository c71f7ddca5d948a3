import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChoiceDecision } from '../policy/decision.ts';
import { seededRandom } from '../random/seeded.ts';
import { logSoftmax } from './fixtures/content-policy.ts';
import { parcelFlow } from './fixtures/parcels.ts';
import { entropyOf, mostLikely, nothingPlanner, randomPlanner, rulePlanner, sampleAction, type Planned } from './planner.ts';
import type { PreparedPlan } from './plan.ts';

const logits = fc.array(fc.double({ min: -8, max: 8, noNaN: true }), { minLength: 1, maxLength: 12 });

describe('sampleAction', () => {
  it('always gives an open action that can happen', () => {
    fc.assert(
      fc.property(logits, fc.nat(), (values, seed) => {
        const logProbabilities = logSoftmax(values);
        const action = sampleAction(logProbabilities, seededRandom(seed));
        expect(logProbabilities[action]).toBeGreaterThan(-Infinity);
      }),
    );
  });

  it('draws with the probabilities it was given', () => {
    const p = [0.1, 0.6, 0, 0.3];
    const counts = [0, 0, 0, 0];
    const random = seededRandom(3);
    for (let i = 0; i < 20_000; i++) counts[sampleAction(Float32Array.from(p, Math.log), random)]! += 1;
    counts.forEach((count, i) => expect(Math.abs(count / 20_000 - p[i]!)).toBeLessThan(0.015));
    expect(counts[2]).toBe(0);
  });

  it('takes one number from the generator, whatever there is to choose from', () => {
    fc.assert(
      fc.property(logits, (values) => {
        const [a, b] = [seededRandom(5), seededRandom(5)];
        sampleAction(logSoftmax(values), a);
        b.uniform();
        expect(a.uniform()).toBe(b.uniform());
      }),
    );
  });

  it('survives rounding', () => {
    const most = { ...seededRandom(1), uniform: () => 1 - 2 ** -53 };
    expect(sampleAction([Math.log(0.5), Math.log(0.5)], most)).toBe(1);
  });
});

describe('mostLikely', () => {
  it('takes the first of the most likely actions', () => {
    expect(mostLikely([-2, -1, -1, -3])).toBe(1);
  });

  it('passes over what was tried, until everything was', () => {
    expect(mostLikely([-2, -1, -1, -3], new Set([1]))).toBe(2);
    expect(mostLikely([-2, -1], new Set([1]))).toBe(0);
    expect(mostLikely([-2, -1], new Set([0, 1]))).toBe(1);
  });
});

describe('entropyOf', () => {
  it('is log n when uniform, 0 when certain, never more', () => {
    expect(entropyOf(Array(8).fill(Math.log(1 / 8)))).toBeCloseTo(Math.log(8), 12);
    expect(entropyOf([0, -Infinity])).toBe(0);
    fc.assert(
      fc.property(logits, (values) => {
        const entropy = entropyOf(logSoftmax(values));
        expect(entropy).toBeGreaterThanOrEqual(-1e-6);
        expect(entropy).toBeLessThanOrEqual(Math.log(values.length) + 1e-6);
      }),
    );
  });
});

describe('planners without a policy', () => {
  const memory = { parcels: ['a', 'b', 'c'], stamped: new Set([0]), log: [] };
  const prepared: PreparedPlan = { plan: parcelFlow().plan(memory), memory, step: 0 };

  it('random picks every open action, with its true log-probability', () => {
    const random = seededRandom(1);
    const choices = Array.from({ length: 100 }, () => randomPlanner.choose(prepared, random) as Planned);
    expect(new Set(choices.map(({ decision }) => (decision as ChoiceDecision).index))).toEqual(new Set([0, 1, 2, 3]));
    expect(choices[0]!.logProbability).toBeCloseTo(Math.log(1 / 4), 12);
    expect(choices[0]!.entropy).toBeCloseTo(Math.log(4), 12);
  });

  it('nothing ends the flow', () => {
    expect(nothingPlanner.choose(prepared, seededRandom(1))).toBeUndefined();
  });

  it('rule asks the flow, and says so when the flow has none or answers nonsense', () => {
    const random = seededRandom(1);
    expect(rulePlanner(parcelFlow()).choose(prepared, random)).toMatchObject({ decision: { index: 1 }, logProbability: 0 });
    const none = parcelFlow();
    delete none.rule;
    expect(() => rulePlanner(none).choose(prepared, random)).toThrow(/'parcels' has no rule planner/);
    for (const action of [-1, 4, 0.5, NaN])
      expect(() => rulePlanner(parcelFlow({ rule: () => action })).choose(prepared, random)).toThrow(/one of the 4 open actions/);
  });
});
