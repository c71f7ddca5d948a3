import { describe, expect, it } from 'vitest';
import { decoupledLoss, proximalWeights } from './loss.ts';

const OPTIONS = { clipLow: 0.2, clipHigh: 0.2, cap: 2 };

describe('decoupledLoss', () => {
  it('weighs the surrogate around the start of the round by how far that is from who acted', () => {
    const columns = {
      logProbs: [Math.log(1.1), Math.log(3), Math.log(1.1)],
      proximal: [0, 0, 0],
      behaviour: [Math.log(2), 0, -Math.log(9)],
      advantages: [1, 1, -1],
      weights: [1, 1, 0.5],
    };
    const { loss, derivative, statistics } = decoupledLoss(columns, OPTIONS);
    // w = 0.5, 1 and 9 capped at 2; surrogates -1.1, -1.2 (clipped) and 1.1.
    expect(loss).toBeCloseTo(0.5 * -1.1 - 1.2 + 0.5 * 2 * 1.1, 12);
    expect([...derivative]).toEqual([-0.55, 0, 1.1].map((value) => expect.closeTo(value, 12) as number));
    expect(statistics).toMatchObject({ clipFraction: 1, correctionWeight: expect.closeTo(2.5, 12), cappedFraction: 0.5 });
    expect(statistics['ratio']).toBeCloseTo(1.1 + 3 + 0.55, 12);
  });

  it('is PPO where nothing has moved since acting', () => {
    expect([...proximalWeights([-1, -2], [-1, -2], 2)]).toEqual([1, 1]);
    expect(proximalWeights([900], [0], 1e12)[0]).toBeCloseTo(Math.exp(20), 0);
  });

  it('needs its column', () => {
    const columns = { logProbs: [0], behaviour: [0], advantages: [1], weights: [1] };
    expect(() => decoupledLoss(columns, OPTIONS)).toThrow(/proximal/);
  });
});
