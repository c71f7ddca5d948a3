import { describe, expect, it } from 'vitest';
import { rlooAdvantages } from './advantages.ts';

describe('rlooAdvantages', () => {
  it('compares each with the mean of the others', () => {
    const rewards = [1, 1, 0, 0, 1, 0, 0, 0];
    const advantages = rlooAdvantages(rewards);
    rewards.forEach((reward, i) => {
      const others = rewards.filter((_, j) => j !== i);
      expect(advantages[i]).toBeCloseTo(reward - others.reduce((a, b) => a + b, 0) / 7, 12);
    });
    expect(advantages[0]).toBeCloseTo((8 / 7) * 0.625, 12);
  });

  it('counts those that count', () => {
    expect(rlooAdvantages([1, NaN, 0, 9], { valid: [true, true, true, false] })).toEqual([1, 0, -1, 0]);
    expect(rlooAdvantages([3])).toEqual([0]);
  });
});
