import { describe, expect, it } from 'vitest';
import { generalizedAdvantages } from './gae.ts';
import { vtrace } from '../vtrace/vtrace.ts';

const REWARDS = [1, 0, 2, -1];
const VALUES = [0.5, 0.2, 0.1, 0.4];
const BOOTSTRAP = 0.3;
const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 6) as number);

describe('generalizedAdvantages', () => {
  it('gives the golden numbers', () => {
    const { advantages, returns } = generalizedAdvantages(REWARDS, VALUES, { bootstrap: BOOTSTRAP, gamma: 0.9, lambda: 0.95 });
    expect(advantages).toEqual(close([1.531787, 0.996242, 1.29385, -1.13]));
    expect(returns[3]).toBeCloseTo(-0.73, 6);
  });
});

describe('vtrace', () => {
  it('gives the golden numbers on policy, equal to generalised advantages at lambda 1', () => {
    const { targets, advantages } = vtrace([1, 1, 1, 1], REWARDS, VALUES, { bootstrap: BOOTSTRAP, gamma: 0.9 });
    expect(targets).toEqual(close([2.08783, 1.2087, 1.343, -0.73]));
    expect(advantages).toEqual(close([1.58783, 1.0087, 1.243, -1.13]));
    expect(advantages).toEqual(
      close(generalizedAdvantages(REWARDS, VALUES, { bootstrap: BOOTSTRAP, gamma: 0.9, lambda: 1 }).advantages),
    );
  });

  it('gives the golden numbers off policy', () => {
    const { targets, advantages } = vtrace([0.5, 2, 1.2, 0.8], REWARDS, VALUES, { bootstrap: BOOTSTRAP, gamma: 0.9 });
    expect(targets).toEqual(close([1.376292, 1.39176, 1.5464, -0.504]));
    expect(advantages).toEqual(close([0.876292, 1.19176, 1.4464, -0.904]));
  });
});
