import { describe, expect, it } from 'vitest';
import type { RoundGroup } from '../method.ts';
import { algorithmSchema, methodOf } from '../registry.ts';
import { unitAdvantages, weighUnits } from './unit.ts';

/** One trajectory: a decision of two tokens that earns 1, and one of one token that earns 2. */
const group: RoundGroup = {
  rewards: [3],
  valid: [true],
  advantages: [0],
  stepRewards: [[1, 2]],
  decisionLengths: [[2, 1]],
  behaviour: [[-1, -0.5, -2]],
  values: [[0.5, 0.4, 0.2]],
  proximal: [[-1, -0.5 + Math.log(2), -2]],
};

function advantagesOf(options: object, round: RoundGroup[] = [group]) {
  const config = algorithmSchema.parse(options);
  return unitAdvantages(methodOf(config), round, config)!;
}

const near = (values: number[]) => values.map((value) => expect.closeTo(value, 9) as number);

describe('credit of decisions of several tokens', () => {
  const ppo = { name: 'ppo', whiten: false, value: { gamma: 0.9, lambda: 0.8 } };

  it('generalised advantages discount from decision to decision, not within one', () => {
    // delta = [0.4 - 0.5, 1 + 0.9 0.2 - 0.4, 2 - 0.2]; A = [-0.1 + 2.076, 0.78 + 0.72 1.8, 1.8].
    const { advantages, targets } = advantagesOf(ppo);
    expect(advantages[0]![0]).toEqual(near([1.976, 2.076, 1.8]));
    expect(targets![0]![0]).toEqual(near([2.476, 2.476, 2]));
  });

  it('by decision, a state is valued before the first token', () => {
    // delta = [1 + 0.9 0.2 - 0.5, 2 - 0.2]; A = [0.68 + 0.72 1.8, 1.8], for each of a decision's tokens.
    const { advantages, targets } = advantagesOf({ ...ppo, unit: 'decision' });
    expect(advantages[0]![0]).toEqual(near([1.976, 1.976, 1.8]));
    expect(targets![0]![0]).toEqual(near([2.476, 2.476, 2]));
  });

  it('V-trace has a ratio for each token, or their product for each decision', () => {
    const vtrace = { name: 'vtrace', rhoBar: 10, cBar: 10, value: { gamma: 0.9 } };
    // rho = [1, 2, 1]; v_2 = 2; A_1 = 2 (1 + 0.9 2 - 0.4); v_1 = 0.4 + 2 (1.18 - 0.4) + 1.8 1.8 = 5.2; A_0 = 5.2 - 0.5.
    expect(advantagesOf(vtrace).advantages[0]![0]).toEqual(near([4.7, 4.8, 1.8]));
    // rho = [2, 1]: A_0 = 2 (1 + 0.9 2 - 0.5).
    expect(advantagesOf({ ...vtrace, unit: 'decision' }).advantages[0]![0]).toEqual(near([4.6, 4.6, 1.8]));
  });

  it.each(['token', 'decision'])('discounted and to-go credit is the same for all tokens of a decision (%s)', (unit) => {
    const other: RoundGroup = { ...group, rewards: [1], stepRewards: [[1]], decisionLengths: [[2]], behaviour: [[-1, -1]] };
    const pair: RoundGroup = {
      rewards: [3, 1],
      valid: [true, true],
      advantages: [0, 0],
      stepRewards: [...group.stepRewards, ...other.stepRewards],
      decisionLengths: [...group.decisionLengths!, ...other.decisionLengths!],
      behaviour: [...group.behaviour, ...other.behaviour],
    };
    const grpo = (credit: object) => advantagesOf({ name: 'grpo', std: 'none', unit, credit }, [pair]).advantages[0]!;
    expect(grpo({ kind: 'discounted', gamma: 0.5 })).toEqual([near([0.5, 0.5, 1]), near([-1, -1])]);
    // Returns [1 + 0.5 2, 2] and [1], against that of the other one.
    expect(grpo({ kind: 'return-to-go', gamma: 0.5 })).toEqual([near([1, 1, 1]), near([-1, -1])]);
  });

  it('a correction has a weight for each token, or for each decision', () => {
    const pair = (unit: string) =>
      advantagesOf({ name: 'grpo', std: 'none', unit, correction: { kind: 'truncate', cap: 1.5 } }, [
        {
          ...group,
          rewards: [3, 1],
          valid: [true, true],
          advantages: [0, 0],
          stepRewards: [[1, 2], []],
          decisionLengths: [[2, 1], []],
          behaviour: [group.behaviour[0]!, []],
          proximal: [[-1, -0.5 + Math.log(1.2), -2], []],
        },
      ]).advantages[0]![0];
    expect(pair('token')).toEqual(near([1, 1.2, 1]));
    expect(pair('decision')).toEqual(near([1.2, 1.2, 1]));
  });
});

describe('weighUnits', () => {
  it('lets the tokens of a decision share its weight with unit decision', () => {
    const weights = (options: object) => {
      const config = algorithmSchema.parse(options);
      const { weights: of, total } = weighUnits(methodOf(config), [[[2, 1], [4]]], config);
      return [[...of], total];
    };
    expect(weights({ name: 'grpo' })).toEqual([near([1 / 3, 1 / 3, 1 / 3, 0.25, 0.25, 0.25, 0.25]), expect.closeTo(2, 9)]);
    expect(weights({ name: 'grpo', unit: 'decision' })).toEqual([[0.25, 0.25, 0.5, 0.25, 0.25, 0.25, 0.25], 2]);
    expect(weights({ name: 'dapo' })).toEqual([[1, 1, 1, 1, 1, 1, 1], 7]);
    expect(weights({ name: 'dapo', unit: 'decision' })).toEqual([[0.5, 0.5, 1, 0.25, 0.25, 0.25, 0.25], 3]);
  });
});
