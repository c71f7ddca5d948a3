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
    const scale = Math.sqrt(3 / 0.5);
    expect(advantages).toEqual([close([0.5 * scale, -0.5 * scale]), [0, 0], [0]]);
  });

  it('counts those that count', () => {
    const valid = [[true, true, false], [true]];
    expect(reinforcePlusPlusAdvantages([[1, NaN, 9], [0]], { valid }).flat()).toEqual(close([Math.SQRT1_2, 0, 0, -Math.SQRT1_2]));
    expect(reinforcePlusPlusAdvantages([new Array<number>(7).fill(1 / 3)])).toEqual([new Array<number>(7).fill(0)]);
    expect(reinforcePlusPlusAdvantages([])).toEqual([]);
  });

  it('leaves a lone member out of the deviation, and equal groups in it at exactly 0', () => {
    const baseline = true;
    const lone = reinforcePlusPlusAdvantages([[1, 0], [5]], { baseline });
    expect(lone).toEqual([[expect.closeTo(0.70710677, 8), expect.closeTo(-0.70710677, 8)], [0]]);
    const failed = reinforcePlusPlusAdvantages(
      [
        [1, 0],
        [NaN, 5],
      ],
      { baseline },
    );
    expect(failed[0]).toEqual([expect.closeTo(0.70710677, 8), expect.closeTo(-0.70710677, 8)]);
    expect(failed[1]).toEqual([0, 0]);
    const equal = reinforcePlusPlusAdvantages(
      [
        [1, 0, 0],
        [1, 1, 1],
      ],
      { baseline },
    );
    // Centred 2/3, -1/3, -1/3, 0, 0, 0: sample deviation sqrt((6/9) / 5).
    const deviation = Math.sqrt(2 / 15);
    expect(equal[0]).toEqual(close([2 / 3 / deviation, -1 / 3 / deviation, -1 / 3 / deviation]));
    expect(equal[1]).toEqual([0, 0, 0]);
  });

  it('divides by the deviation asked for', () => {
    const options = { std: 'population', epsilon: 0.5 } as const;
    expect(reinforcePlusPlusAdvantages([[1, 0]], options)).toEqual([close([0.5, -0.5])]);
    expect(reinforcePlusPlusAdvantages([[1, 0]], { ...options, baseline: true })).toEqual([close([0.5, -0.5])]);
  });
});
