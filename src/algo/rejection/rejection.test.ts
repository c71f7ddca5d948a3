import { describe, expect, it } from 'vitest';
import type { LossColumns } from '../method.ts';
import { rejection } from './method.ts';
import { rejectionSchema } from './schema.ts';

const config = rejectionSchema.parse({ name: 'rejection' });
const group = { rewards: [1, 0.4, 0, 1], valid: [true, true, true, false], successful: [true, true, false, true] };

describe('rejection sampling', () => {
  it('imitates what succeeded, whatever its reward, and nothing of what failed', () => {
    expect(rejection.trainsOn!(group, config)).toEqual([true, true, false, false]);
    expect(rejection.groupAdvantages!(group, config)).toEqual([1, 1, 0, 0]);
  });

  it('learns from groups of successes alone, and not from groups without one, however much their rewards differ', () => {
    const one = { rewards: [1, 1], valid: [true, true] };
    expect(rejection.teaches!({ ...one, successful: [true, true] }, config)).toBe(true);
    expect(rejection.teaches!({ rewards: [0.5, 0], valid: [true, true], successful: [false, false] }, config)).toBe(false);
    expect(rejection.teaches!({ ...one, valid: [false, false], successful: [true, true] }, config)).toBe(false);
  });

  it('has the mean negative log-likelihood as its loss', () => {
    // Two trajectories: of two tokens and of one.
    const { weights, total } = rejection.weigh([[[1, 1], [1]]], config);
    const columns: LossColumns = { logProbs: [-1, -0.5, -2], behaviour: [-9, -9, -9], advantages: [1, 1, 1], weights };
    const { loss, derivative } = rejection.loss(columns, config);
    expect(loss / total).toBeCloseTo(1.375, 12);
    expect([...derivative].map((value) => value / total)).toEqual([-0.25, -0.25, -0.5]);
  });
});
