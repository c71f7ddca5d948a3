import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clippedSurrogate } from './clipped.ts';

const CLIP = { clipLow: 0.2, clipHigh: 0.28 };
const at = (ratio: number, advantage: number, options: Parameters<typeof clippedSurrogate>[3] = CLIP) => {
  const { loss, derivative, clipped } = clippedSurrogate([Math.log(ratio)], [0], [advantage], options);
  return { loss: loss[0]!, derivative: derivative[0]!, clipped: clipped[0]! };
};

describe('clippedSurrogate', () => {
  it('is -r A inside the range', () => {
    expect(at(1.1, 2)).toEqual({ loss: expect.closeTo(-2.2, 12), derivative: expect.closeTo(-2.2, 12), clipped: 0 });
    expect(at(0.9, -2)).toEqual({ loss: expect.closeTo(1.8, 12), derivative: expect.closeTo(1.8, 12), clipped: 0 });
  });

  it('is constant where the policy has moved far enough in the direction of the advantage', () => {
    expect(at(1.5, 2)).toEqual({ loss: expect.closeTo(-2.56, 12), derivative: 0, clipped: 1 });
    expect(at(0.5, -2)).toEqual({ loss: expect.closeTo(1.6, 12), derivative: 0, clipped: 1 });
  });

  it('still pulls back where it has moved the other way', () => {
    expect(at(0.5, 2)).toMatchObject({ derivative: expect.closeTo(-1, 12), clipped: 0 });
    expect(at(1.5, -2)).toMatchObject({ derivative: expect.closeTo(3, 12), clipped: 0 });
  });

  it('bounds the loss of negative advantages when dual clipping is on', () => {
    expect(at(10, -1, { ...CLIP, dualClip: 3 })).toEqual({ loss: 3, derivative: 0, clipped: 1 });
    expect(at(2, -1, { ...CLIP, dualClip: 3 })).toMatchObject({ loss: expect.closeTo(2, 12), clipped: 0 });
    expect(at(10, 1, { ...CLIP, dualClip: 3 }).loss).toBeCloseTo(-1.28, 12);
  });

  it('clamps the log-ratio, so that nothing overflows', () => {
    const { ratio, derivative } = clippedSurrogate([800, -800], [0, 0], [-1, 1], CLIP);
    expect(ratio[0]).toBeCloseTo(Math.exp(20), 0);
    expect([...derivative]).toEqual([0, 0]);
  });

  it('has the derivative that finite differences give, away from the corners', () => {
    const decision = fc.record({
      logProb: fc.double({ min: -5, max: 0, noNaN: true }),
      old: fc.double({ min: -5, max: 0, noNaN: true }),
      advantage: fc.double({ min: -3, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(decision, ({ logProb, old, advantage }) => {
        const ratio = Math.exp(logProb - old);
        fc.pre([0.8, 1.28, 3].every((corner) => Math.abs(ratio - corner) > 1e-3));
        const value = (x: number) => clippedSurrogate([x], [old], [advantage], { ...CLIP, dualClip: 3 });
        const step = 1e-6;
        const difference = (value(logProb + step).loss[0]! - value(logProb - step).loss[0]!) / (2 * step);
        expect(value(logProb).derivative[0]).toBeCloseTo(difference, 4);
      }),
    );
  });
});
