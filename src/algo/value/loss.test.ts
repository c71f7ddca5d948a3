import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valueLoss } from './loss.ts';

describe('valueLoss', () => {
  it('is half the square of the error, weighed', () => {
    const { loss, derivative, statistics } = valueLoss([1, 2], [0, 4], [1, 0.5], { coefficient: 0.5 });
    expect(loss).toBe(0.5 * (0.5 + 0.5 * 2));
    expect([...derivative]).toEqual([0.5, -0.5]);
    expect(statistics).toEqual({ valueLoss: 1.5, valueError: 2 });
  });

  it('stops where a value has moved far enough towards its target', () => {
    const options = { clip: 0.2, oldValues: [0, 0] };
    const { loss, derivative, statistics } = valueLoss([0.5, -0.5], [1, 1], [1, 1], options);
    // The first has moved 0.5 towards 1: clipped at 0.2. The second has moved away: it is pulled back.
    expect(loss).toBeCloseTo(0.5 * 0.8 ** 2 + 0.5 * 1.5 ** 2, 12);
    expect([...derivative]).toEqual([0, -1.5]);
    expect(statistics['valueClipFraction']).toBe(1);
    expect(() => valueLoss([1], [1], [1], { clip: 0.2 })).toThrow(/start of the round/);
  });

  it('has the derivative that finite differences give, away from the corners', () => {
    const number = fc.double({ min: -2, max: 2, noNaN: true });
    fc.assert(
      fc.property(number, number, number, fc.boolean(), (value, target, old, clipped) => {
        const options = { coefficient: 0.7, ...(clipped && { clip: 0.3, oldValues: [old] }) };
        const at = (x: number) => valueLoss([x], [target], [2], options);
        const step = 1e-6;
        const [low, high] = [at(value - step), at(value + step)];
        fc.pre(Math.abs(low.derivative[0]! - high.derivative[0]!) < 1e-3);
        expect(at(value).derivative[0]).toBeCloseTo((high.loss - low.loss) / (2 * step), 5);
      }),
    );
  });
});
