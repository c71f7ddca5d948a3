import { describe, expect, it } from 'vitest';
import { sequenceSurrogate } from './surrogate.ts';

const CLIP = { clipLow: 3e-4, clipHigh: 4e-4 };

describe('sequenceSurrogate', () => {
  it('takes the geometric mean of a sequence as its ratio', () => {
    const { ratio } = sequenceSurrogate(
      { logProbs: [0.3, -0.1, 0.5], oldLogProbs: [0, 0, 0], start: [0, 2, 3], advantages: [1, 1] },
      CLIP,
    );
    expect([...ratio]).toEqual([Math.exp(0.1), Math.exp(0.5)].map((value) => expect.closeTo(value, 12) as number));
  });

  it('clips whole sequences', () => {
    const result = sequenceSurrogate(
      { logProbs: [0.001, 0.001, 0.0001, 0.0003], oldLogProbs: [0, 0, 0, 0], start: [0, 2, 4], advantages: [2, 2] },
      CLIP,
    );
    expect([...result.clipped]).toEqual([1, 0]);
    expect([...result.derivative.slice(0, 2)]).toEqual([0, 0]);
    expect(result.loss[0]).toBeCloseTo(-2 * 1.0004, 12);
    expect(result.derivative[2]).toBeCloseTo((-2 * Math.exp(0.0002)) / 2, 12);
    expect(result.derivative[3]).toBe(result.derivative[2]);
  });

  it('pulls back what has moved the wrong way, and clips below where the advantage is negative', () => {
    const [back] = sequenceSurrogate({ logProbs: [-0.5], oldLogProbs: [0], start: [0, 1], advantages: [1] }, CLIP).derivative;
    expect(back).toBeCloseTo(-Math.exp(-0.5), 12);
    expect(sequenceSurrogate({ logProbs: [-0.5], oldLogProbs: [0], start: [0, 1], advantages: [-1] }, CLIP)).toMatchObject({
      loss: Float64Array.of(1 - 3e-4),
      derivative: Float64Array.of(0),
    });
  });

  it('survives what would overflow, and empty sequences', () => {
    const { ratio, derivative } = sequenceSurrogate(
      { logProbs: [900], oldLogProbs: [0], start: [0, 1, 1], advantages: [-1, 3] },
      CLIP,
    );
    expect(ratio[0]).toBeCloseTo(Math.exp(20), 0);
    expect([...derivative]).toEqual([0]);
  });
});
