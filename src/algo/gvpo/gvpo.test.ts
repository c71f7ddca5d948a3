import { describe, expect, it } from 'vitest';
import { gvpoLoss } from './loss.ts';

const ACTIONS = [0, 2, 1, 2];
const REWARDS = [1, 0, 0.5, 0.2];
const START = [0, 1, 2, 3, 4];

const logSoftmax = (logits: readonly number[]): number[] => {
  const normalizer = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - normalizer);
};

/** Loss and gradient with respect to the logits, of one decision a trajectory. */
function at(theta: number[], start: number[]): { loss: number; gradient: number[] } {
  const policy = logSoftmax(theta);
  const before = logSoftmax(start);
  const { loss, derivative } = gvpoLoss(
    { logProbs: ACTIONS.map((a) => policy[a]!), proximal: ACTIONS.map((a) => before[a]!), start: START, rewards: REWARDS },
    { beta: 0.1 },
  );
  const gradient = theta.map((_, j) =>
    ACTIONS.reduce((sum, a, i) => sum + derivative[i]! * ((a === j ? 1 : 0) - Math.exp(policy[j]!)), 0),
  );
  return { loss, gradient };
}

describe('gvpoLoss', () => {
  it('gives the golden numbers', () => {
    const { loss, gradient } = at([0.3, -0.2, 0.5], [0.1, 0, 0.2]);
    expect(loss).toBeCloseTo(0.0980333333, 9);
    [-0.019, -0.00366667, 0.02266667].forEach((golden, j) => expect(gradient[j]).toBeCloseTo(golden, 8));
  });

  it('begins as REINFORCE with the mean as baseline, times beta / (G - 1)', () => {
    const { gradient } = at([0.3, -0.2, 0.5], [0.3, -0.2, 0.5]);
    [-0.01916667, -0.0025, 0.02166667].forEach((golden, j) => expect(gradient[j]).toBeCloseTo(golden, 8));
  });

  it('sums over the decisions of a trajectory', () => {
    const whole = gvpoLoss({ logProbs: [-1, -2], proximal: [-1.5, -1], start: [0, 1, 2], rewards: [1, 0] }, { beta: 0.5 });
    const cut = gvpoLoss(
      { logProbs: [-0.4, -0.6, -2], proximal: [-0.5, -1, -1], start: [0, 2, 3], rewards: [1, 0] },
      { beta: 0.5 },
    );
    expect(cut.loss).toBeCloseTo(whole.loss, 12);
    expect([...cut.implied]).toEqual([...whole.implied].map((value) => expect.closeTo(value, 12) as number));
    expect([...cut.derivative]).toEqual([0, 0, 1].map((i) => expect.closeTo(whole.derivative[i]!, 12) as number));
  });

  it('is 0 for a group of one, and of none', () => {
    expect(gvpoLoss({ logProbs: [-1, -2], proximal: [-2, -3], start: [0, 2], rewards: [1] }, { beta: 0.1 })).toMatchObject({
      loss: 0,
      derivative: new Float64Array(2),
    });
    expect(gvpoLoss({ logProbs: [], proximal: [], start: [0], rewards: [] }, { beta: 0.1 }).loss).toBe(0);
  });
});
