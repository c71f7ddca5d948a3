import { describe, expect, it } from 'vitest';
import { correctionWeights } from './weights.ts';

const RATIOS = [0.4, 1.5, 3];
const proximal = RATIOS.map(Math.log);
const behaviour = [0, 0, 0];
const close = (values: number[]) => values.map((value) => expect.closeTo(value, 12) as number);

describe('correctionWeights', () => {
  it('truncates each decision at 2, a trajectory at 5', () => {
    expect(correctionWeights(proximal, behaviour, { kind: 'truncate', level: 'decision' })).toEqual(close([0.4, 1.5, 2]));
    expect(correctionWeights(proximal, behaviour, { kind: 'truncate', level: 'trajectory' })).toEqual(close([1.8, 1.8, 1.8]));
    const far = correctionWeights([2, 2], [0, 0], { kind: 'truncate', level: 'trajectory' });
    expect(far).toEqual([5, 5]);
    expect(correctionWeights([2, 2], [0, 0], { kind: 'truncate', level: 'trajectory', cap: 3 })).toEqual([3, 3]);
  });

  it('masks what is outside of 0.5 to 2', () => {
    expect(correctionWeights(proximal, behaviour, { kind: 'mask', level: 'decision' })).toEqual([0, 1, 0]);
    expect(correctionWeights(proximal, behaviour, { kind: 'mask', level: 'trajectory' })).toEqual([1, 1, 1]);
    expect(correctionWeights(proximal, behaviour, { kind: 'mask', level: 'decision', low: 0.1, high: 5 })).toEqual([1, 1, 1]);
  });

  it('is 1 everywhere when off, or on policy', () => {
    expect(correctionWeights(proximal, behaviour, { kind: 'none', level: 'decision' })).toEqual([1, 1, 1]);
    expect(correctionWeights([-1, -2], [-1, -2], { kind: 'truncate', level: 'trajectory' })).toEqual([1, 1]);
    expect(correctionWeights([900], [0], { kind: 'truncate', level: 'decision', cap: 1e3 })).toEqual([1e3]);
  });
});
