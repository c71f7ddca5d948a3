import { describe, expect, it } from 'vitest';
import type { AlgorithmConfig } from '../config.ts';
import type { RoundAdvantages, RoundGroup } from '../method.ts';
import { algorithmSchema, methodOf } from '../registry.ts';

/** Three trajectories of different lengths, the last one a failure, on policy. */
const group = (rewards: number[], more: Partial<RoundGroup> = {}): RoundGroup => ({
  rewards: [...rewards, 0],
  valid: [...rewards.map(() => true), false],
  stepRewards: [...rewards.map((reward, i) => [...new Array<number>(i).fill(0), reward]), [0]],
  behaviour: [...rewards.map((_, i) => new Array<number>(i + 1).fill(-1)), [-1]],
  advantages: [],
  ...more,
});

function round(options: { name?: string } & Record<string, unknown>, ...groups: RoundGroup[]): RoundAdvantages | undefined {
  const config: AlgorithmConfig = algorithmSchema.parse(options);
  return methodOf(config).roundAdvantages!(groups, config);
}
const close = (values: number[], digits = 8) => values.map((value) => expect.closeTo(value, digits) as number);

describe('advantages of a round', () => {
  it('are those of the trajectories unless something is asked for', () => {
    for (const name of ['grpo', 'rloo', 'dr-grpo', 'dapo', 'gspo', 'flow-grpo', 'decoupled-ppo']) {
      expect(round({ name }, group([1, 0]))).toBeUndefined();
    }
  });

  it('are discounted from the end', () => {
    const { advantages } = round({ std: 'none', credit: { kind: 'discounted', gamma: 0.5 } }, group([1, 0]))!;
    expect(advantages).toEqual([[[0.5], [-0.25, -0.5], [0]]]);
  });

  it('are returns to go against the others, divided by the deviation of the whole returns', () => {
    const steps = { stepRewards: [[1], [1, -1], [0]] };
    const credit = { kind: 'return-to-go', gamma: 1 };
    expect(round({ std: 'none', credit }, group([1, 0], steps))!.advantages).toEqual([[[1], [-1, -2], [0]]]);
    const divided = round({ std: 'sample', epsilon: 0, credit }, group([1, 0], steps))!.advantages[0]!;
    expect(divided.flat()).toEqual(close([Math.SQRT2, -Math.SQRT2, -2 * Math.SQRT2, 0]));
  });

  it('compare forced exploration with its like, in returns to go, too', () => {
    const mixed: RoundGroup = {
      rewards: [1, 5, 0, 7],
      valid: [true, true, true, true],
      explored: [false, true, false, true],
      stepRewards: [[1], [5], [0], [7]],
      behaviour: [[-1], [-1], [-1], [-1]],
      advantages: [],
    };
    expect(round({ name: 'rloo', credit: { kind: 'return-to-go' } }, mixed)!.advantages).toEqual([[[1], [-2], [-1], [2]]]);
  });

  it('are whitened over all trajectories of the round', () => {
    const groups = [group([1, 0]), group([1, 1])];
    const plain = round({ name: 'reinforce-plus-plus' }, ...groups)!.advantages;
    // Rewards 1, 0, 1, 1: mean 0.75, sample deviation 0.5.
    expect(plain[0]![0]).toEqual(close([0.5], 6));
    expect(plain[0]![1]).toEqual(close([-1.5, -1.5], 6));
    expect(plain[1]!.flat()).toEqual(close([0.5, 0.5, 0.5, 0], 6));
    const centred = round({ name: 'reinforce-plus-plus-baseline' }, ...groups)!.advantages;
    // Centred 0.5, -0.5, 0, 0: sample deviation sqrt(1/6).
    expect(centred[0]!.flat()).toEqual(close([0.5 * Math.sqrt(6), -0.5 * Math.sqrt(6), -0.5 * Math.sqrt(6), 0], 6));
    expect(centred[1]!.flat()).toEqual([0, 0, 0, 0]);
  });

  it('are whitened without groups of one valid member', () => {
    const lone: RoundGroup = { ...group([5, 0]), valid: [true, false, false] };
    const { advantages } = round({ name: 'reinforce-plus-plus-baseline' }, group([1, 0, 0.5]), lone)!;
    expect(advantages.map((of) => of.map(([first]) => first))).toEqual([close([0.99999998, -0.99999998, 0, 0], 9), [0, 0, 0]]);
  });

  it('are 0 where rewards are equal but for single precision', () => {
    const rewards = [0.7, Math.fround(0.7)];
    expect(round({ credit: { kind: 'discounted' } }, group(rewards))!.advantages.flat(2)).toEqual([0, 0, 0, 0]);
  });

  it('count the reward of a trajectory without decisions', () => {
    const empty: RoundGroup = {
      rewards: [1, 0, 0],
      valid: [true, true, true],
      stepRewards: [[], [0], [0]],
      behaviour: [[], [-1], [-1]],
      reference: [[], [-1], [-1]],
      advantages: [],
    };
    for (const more of [
      { credit: { kind: 'discounted' } },
      { credit: { kind: 'return-to-go' } },
      { kl: { coefficient: 0.1, estimator: 'k1' } },
    ]) {
      expect(round({ name: 'rloo', ...more }, empty)!.advantages).toEqual([[[], [-0.5], [-0.5]]]);
    }
  });

  it('are 0 for equal returns where they are divided by a deviation, and about timing where not', () => {
    const timing: RoundGroup = {
      rewards: [1, 1],
      valid: [true, true],
      stepRewards: [
        [1, 0],
        [0, 1],
      ],
      behaviour: [
        [-1, -1],
        [-1, -1],
      ],
      advantages: [],
    };
    const credit = { kind: 'return-to-go', gamma: 1 };
    expect(round({ name: 'grpo', credit }, timing)!.advantages.flat(2)).toEqual([0, 0, 0, 0]);
    expect(round({ name: 'grpo', std: 'none', credit }, timing)!.advantages.flat(2)).toEqual([0, -1, 0, 0]);
    expect(round({ name: 'rloo', credit }, timing)!.advantages.flat(2)).toEqual([0, -1, 0, 0]);
  });

  it('lose what the trajectory strays from the reference policy with k1', () => {
    const kl = { coefficient: 0.5, estimator: 'k1' };
    const reference = [[-2], [-1, -0.5], [-1]];
    // Penalties 0.5 x (1) and 0.5 x (0 - 0.5): rewards 0.5 and 0.25.
    const { advantages } = round({ std: 'none', kl }, group([1, 0], { reference }))!;
    expect(advantages).toEqual([[close([0.125]), close([-0.125, -0.125]), [0]]]);
    expect(() => round({ kl }, group([1, 0]))).toThrow(/reference/);
  });
});

describe('corrections', () => {
  const stale = { proximal: [[-1 + Math.log(4)], [-1 + Math.log(0.25), -1], [-1]] };

  it('weigh each decision, and say how much', () => {
    const result = round({ std: 'none', correction: { kind: 'truncate' } }, group([1, 0], stale))!;
    expect(result.advantages[0]!.flat()).toEqual(close([1, -0.125, -0.5, 0]));
    expect(result.statistics).toEqual({ correctionWeight: expect.closeTo(3.25 / 3, 10), maskedFraction: 0 });
  });

  it('weigh whole trajectories', () => {
    const result = round({ std: 'none', correction: { kind: 'truncate', level: 'trajectory' } }, group([1, 0], stale))!;
    expect(result.advantages[0]!.flat()).toEqual(close([2, -0.125, -0.125, 0]));
  });

  it('mask decisions, not members', () => {
    const result = round({ std: 'none', correction: { kind: 'mask' } }, group([1, 0], stale))!;
    expect(result.advantages[0]!.flat()).toEqual([0, 0, -0.5, 0]);
    expect(result.statistics!['maskedFraction']).toBeCloseTo(2 / 3, 10);
    // The first one is masked as a whole. Without it the second would have nobody to be compared with.
    const whole = round({ name: 'rloo', correction: { kind: 'mask', level: 'trajectory', low: 0.1 } }, group([1, 0], stale))!;
    expect(whole.advantages[0]!.flat()).toEqual([0, -1, -1, 0]);
  });
});

describe('critics', () => {
  const one: RoundGroup = {
    rewards: [2, 0],
    valid: [true, false],
    stepRewards: [[1, 0, 2, -1], [0]],
    behaviour: [[-1, -1, -1, -1], [-1]],
    advantages: [],
    values: [[0.5, 0.2, 0.1, 0.4], [7]],
    proximal: [[0.5, 2, 1.2, 0.8].map((ratio) => -1 + Math.log(ratio)), [-1]],
  };

  it('ppo: generalised advantages and targets; nothing comes after the end', () => {
    const { advantages, targets } = round({ name: 'ppo', value: { gamma: 0.9, lambda: 0.95 }, whiten: false }, one)!;
    expect(advantages[0]![0]).toEqual(close([1.363029575, 0.798865, 1.063, -1.4]));
    expect(targets![0]![0]![3]).toBeCloseTo(-1, 10);
    expect(targets![0]![0]![2]).toBeCloseTo(2.26 + 0.9 * 0.95 * -1.4 + 0.1, 10);
    expect([advantages[0]![1], targets![0]![1]]).toEqual([[0], [0]]);
    const white = round({ name: 'ppo' }, one)!.advantages[0]![0]!;
    expect(white.reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 10);
    expect(white.reduce((sum, value) => sum + value ** 2, 0) / 3).toBeCloseTo(1, 6);
  });

  it('vtrace: the ratios are those of the start of the round to the policy that acted', () => {
    const { advantages, targets, statistics } = round({ name: 'vtrace', value: { gamma: 0.9 } }, one)!;
    // The last step: min(1, 0.8) x (-1 - 0.4) and V plus that.
    expect(advantages[0]![0]![3]).toBeCloseTo(0.8 * -1.4, 10);
    expect(targets![0]![0]![3]).toBeCloseTo(0.4 + 0.8 * -1.4, 10);
    expect(statistics).toEqual({ correctionWeight: expect.closeTo((0.5 + 1 + 1 + 0.8) / 4, 10), cappedFraction: 0.5 });
  });

  it('decoupled-ppo: a critic where there is a section for it', () => {
    const value = { gamma: 0.9, lambda: 0.95 };
    const decoupled = round({ name: 'decoupled-ppo', value }, one)!;
    expect(decoupled).toEqual(round({ name: 'ppo', value }, one));
    const config = algorithmSchema.parse({ name: 'decoupled-ppo' });
    expect(methodOf(config).needs(config)).toEqual({ values: false, proximal: true, reference: false });
  });
});
