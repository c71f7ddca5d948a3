import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SHAPING, rewardComponents, type RewardComponent } from '../config/job/reward.ts';
import { shapeReward, type Evidence, type ShapedReward } from './shape.ts';

const EVIDENCE: Evidence = {
  outcome: 1,
  components: { tidy: 2, brief: 0.5 },
  custom: { mine: 0.25 },
  steps: 3,
  signals: { error: [false, true, false], verified: [false, false, true], potential: [1, 2, 4] },
};

function shape(components: readonly RewardComponent[], evidence: Partial<Evidence> = {}): ShapedReward {
  const shaped = shapeReward(components, { ...EVIDENCE, ...evidence });
  if ('problem' in shaped) throw new Error(shaped.problem);
  return shaped;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe('shapeReward', () => {
  it('is the outcome by default, and nothing else is computed', () => {
    expect(shape(rewardComponents({ shaping: 'none' }))).toEqual({
      reward: 1,
      components: EVIDENCE.components,
      stepRewards: [],
    });
    expect(shape([{ name: 'outcome', weight: 1 }], { signals: undefined }).reward).toBe(1);
  });

  it('has the default shaping of a trajectory step by step', () => {
    const { reward, components, stepRewards } = shape(DEFAULT_SHAPING);
    expect(components).toEqual({ outcome: 1, 'tool-success': 2, verification: 1, step: 3, tidy: 2, brief: 0.5 });
    expect(reward).toBeCloseTo(1 + 0.1 * 2 + 0.05 * 1 - 0.01 * 3, 12);
    [0.09, -0.01, 1.14].forEach((expected, t) => expect(stepRewards[t]).toBeCloseTo(expected, 12));
  });

  it('gives components of flow and modules at the end, without step rewards', () => {
    const components = [
      { name: 'outcome', weight: 2 },
      { name: 'tidy', weight: 0.5 },
      { name: 'mine', module: 'm.ts', weight: -4 },
    ];
    expect(shape(components, { signals: undefined })).toEqual({
      reward: 2 + 1 - 1,
      components: { outcome: 1, tidy: 2, brief: 0.5, mine: 0.25 },
      stepRewards: [],
    });
    const { stepRewards } = shape([...components, { name: 'step', weight: 1 }]);
    expect(stepRewards).toEqual([1, 1, 3]);
  });

  it('shapes by potential with nothing after the last step', () => {
    const { reward, components, stepRewards } = shape([
      { name: 'outcome', weight: 0 },
      { name: 'potential', weight: 2, gamma: 0.5 },
    ]);
    expect(stepRewards).toEqual([0, 0, -8]);
    expect(components['potential']).toBe(-4);
    expect(reward).toBe(-8);
  });

  it('telescopes: discounted, the potential is worth minus its beginning, whatever happened', () => {
    const potentials = fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(potentials, fc.double({ min: 0, max: 1, noNaN: true }), (potential, gamma) => {
        const { stepRewards } = shape(
          [
            { name: 'outcome', weight: 0 },
            { name: 'potential', weight: 1, gamma },
          ],
          { steps: potential.length, signals: { error: [], verified: [], potential } },
        );
        const discounted = sum(stepRewards.map((reward, t) => gamma ** t * reward));
        expect(discounted).toBeCloseTo(-potential[0]!, 8);
      }),
    );
  });

  it('is the weighted sum of its components, and its steps sum to it', () => {
    const weight = fc.double({ min: -5, max: 5, noNaN: true });
    const value = fc.double({ min: -10, max: 10, noNaN: true });
    const names = ['outcome', 'tool-success', 'verification', 'step', 'potential', 'tidy', 'mine'];
    const evidence = fc.nat({ max: 12 }).chain((steps) => {
      const column = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: steps, maxLength: steps });
      return fc.record({
        outcome: value,
        components: fc.record({ tidy: value }),
        custom: fc.record({ mine: value }),
        steps: fc.constant(steps),
        signals: fc.record({ error: column(fc.boolean()), verified: column(fc.boolean()), potential: column(value) }),
      });
    });
    const components = fc
      .subarray(names)
      .chain((some) => fc.tuple(...some.map((name) => weight.map((w): RewardComponent => ({ name, weight: w })))))
      .map((list) => list.map((c) => (c.name === 'mine' ? { ...c, module: 'm.ts' } : c)));
    fc.assert(
      fc.property(components, evidence, (list, given) => {
        const shaped = shape(list, given);
        if (list.length === 0) return;
        const weighted = sum(list.map(({ name, weight: w }) => w * shaped.components[name]!));
        expect(shaped.reward).toBeCloseTo(weighted, 8);
        if (shaped.stepRewards.length === 0) return;
        expect(shaped.stepRewards).toHaveLength(given.steps);
        expect(sum(shaped.stepRewards)).toBeCloseTo(shaped.reward, 8);
      }),
    );
  });

  it('takes a trajectory without steps: only what comes at the end', () => {
    const signals = { error: [], verified: [], potential: [] };
    const shaped = shape([...DEFAULT_SHAPING, { name: 'potential', weight: 1 }], { steps: 0, signals });
    expect(shaped).toMatchObject({ reward: 1, stepRewards: [] });
    expect(shaped.components).toMatchObject({ 'tool-success': 0, verification: 0, step: 0, potential: 0 });
  });

  it.each<[string, RewardComponent[], Partial<Evidence>, RegExp]>([
    ['a component that the flow left out', [{ name: 'neat', weight: 1 }], {}, /^gave no component 'neat'/],
    ['an inherited name', [{ name: 'toString', weight: 1 }], {}, /^gave no component 'toString'/],
    [
      'missing signals',
      [{ name: 'tool-success', weight: 1 }],
      { signals: undefined },
      /'tool-success' has no value for each of the 3/,
    ],
    [
      'signals of other steps',
      [{ name: 'potential', weight: 1 }],
      { signals: { error: [], verified: [], potential: [1] } },
      /'potential' has no value for each of the 3 steps/,
    ],
    ['a sum too large for a score', [{ name: 'outcome', weight: 1e6 }], { outcome: 1e35 }, /is not finite/],
  ])('refuses %s', (_, components, evidence, message) => {
    expect(shapeReward(components, { ...EVIDENCE, ...evidence })).toEqual({ problem: expect.stringMatching(message) as string });
  });
});
