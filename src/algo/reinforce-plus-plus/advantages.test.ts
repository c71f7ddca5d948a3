import { describe, expect, it } from 'vitest';
import { reinforcePlusPlusAdvantages } from './advantages.ts';

const close = (values: number[]) => values.map((value) => expect.closeTo(value, 6) as number);

describe('reinforcePlusPlusAdvantages', () => {
  it('whitens over the batch', () => {
    const advantages = reinforcePlusPlusAdvantages([
      [1, 0],
      [1, 1],
    ]);
    expect(advantages.flat()).toEqual(close([0.5, -1.5, 0.5, 0.5]));
  });

  it('takes the mean of each group first', () => {
    const advantages = reinforcePlusPlusAdvantages([[1, 0], [5, 5], [3]], { baseline: true });
    const scale = Math.sqrt(4 / 0.5);
    expect(advantages).toEqual([close([0.5 * scale, -0.5 * scale]), [0, 0], [0]]);
  });

  it('counts those that count', () => {
    const valid = [[true, true, false]];
    expect(reinforcePlusPlusAdvantages([[1, NaN, 9], [0]], { valid }).flat()).toEqual(close([Math.SQRT1_2, 0, 0, -Math.SQRT1_2]));
    expect(reinforcePlusPlusAdvantages([new Array<number>(7).fill(1 / 3)])).toEqual([new Array<number>(7).fill(0)]);
    expect(reinforcePlusPlusAdvantages([])).toEqual([]);
  });
});
