import { describe, expect, it } from 'vitest';
import { DEFAULT_ALGORITHM } from '../config.ts';
import { surrogateLoss } from './loss.ts';

const COLUMNS = {
  logProbs: [Math.log(1.1), Math.log(2)],
  behaviour: [0, 0],
  proximal: [Math.log(1.1), 0],
  reference: [Math.log(2.2), Math.log(2)],
  advantages: [1, 1],
  weights: [1, 0.5],
};
const CLIP = { clipLow: 0.2, clipHigh: 0.2 };
const kl = (coefficient: number, estimator: 'k1' | 'k2' | 'k3') => ({ coefficient, estimator, reference: 'initial' as const });

describe('surrogateLoss', () => {
  it('sums weight times loss and metric', () => {
    const { loss, derivative, statistics } = surrogateLoss(COLUMNS, { ...CLIP, kl: kl(0, 'k3') });
    expect(loss).toBeCloseTo(-1.1 - 0.5 * 1.2, 12);
    expect([...derivative]).toEqual([expect.closeTo(-1.1, 12), 0]);
    expect(Object.keys(statistics)).toEqual(['kl', 'clipFraction', 'ratio', 'ratioDeviation']);
    expect(statistics).toMatchObject({
      clipFraction: 0.5,
      ratio: expect.closeTo(2.1, 12),
      ratioDeviation: expect.closeTo(0.6, 12),
    });
  });

  it.each([
    ['k2' as const, 0.5 * Math.log(2) ** 2, -Math.log(2)],
    ['k3' as const, 2 - Math.log(2) - 1, 1 - 2],
  ])('adds %s to the loss', (estimator, value, slope) => {
    const plain = surrogateLoss(COLUMNS, CLIP);
    const { loss, derivative, statistics } = surrogateLoss(COLUMNS, { ...CLIP, kl: kl(0.1, estimator) });
    expect(loss - plain.loss).toBeCloseTo(0.1 * value, 12);
    expect(derivative[0]! - plain.derivative[0]!).toBeCloseTo(0.1 * slope, 12);
    expect(statistics['referenceKl']).toBeCloseTo(value, 12);
  });

  it('only notes k1, which is taken from the reward', () => {
    const { loss, statistics } = surrogateLoss(COLUMNS, { ...CLIP, kl: kl(0.1, 'k1') });
    expect(loss).toBe(surrogateLoss(COLUMNS, CLIP).loss);
    expect(statistics['referenceKl']).toBeCloseTo(-Math.log(2), 12);
  });

  it('is around the start of the round with a correction', () => {
    const correction = { ...DEFAULT_ALGORITHM.correction, kind: 'truncate' as const };
    const { statistics } = surrogateLoss(COLUMNS, { ...CLIP, correction });
    expect(statistics['ratio']).toBeCloseTo(1 + 0.5 * 2, 12);
    expect(statistics['proximalRatio']).toBeCloseTo(1.1 + 0.5, 12);
  });
});
