import { describe, expect, it } from 'vitest';
import { adamW, adamWState } from './adamw.ts';
import { clipByGlobalNorm } from './clip.ts';
import { addToAverage } from './average.ts';
import { entropyAt, learningRateAt } from './schedule.ts';

const OPTIONS = { learningRate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

describe('adamW', () => {
  it('moves by the learning rate against the sign of the gradient at the first step', () => {
    const parameters = Float32Array.of(1, -1, 0.5);
    const state = adamWState(3);
    adamW(parameters, Float32Array.of(0.3, -20, 0), state, OPTIONS);
    expect([...parameters]).toEqual([expect.closeTo(0.9, 6), expect.closeTo(-0.9, 6), 0.5]);
    expect(state.step).toBe(1);
  });

  it('gives the numbers worked out by hand at the second step', () => {
    const parameters = Float32Array.of(1);
    const state = adamWState(1);
    adamW(parameters, Float32Array.of(1), state, OPTIONS);
    adamW(parameters, Float32Array.of(-2), state, OPTIONS);
    // m = 0.9 * 0.1 - 0.2 = -0.11, corrected by 0.19; v = 0.999e-3 + 4e-3, corrected by 1 - 0.999^2.
    const step = -0.11 / 0.19 / Math.sqrt(0.004999 / (1 - 0.999 ** 2));
    expect(parameters[0]).toBeCloseTo(0.9 - 0.1 * step, 5);
  });

  it('decays weights apart from the gradient', () => {
    const parameters = Float32Array.of(2);
    adamW(parameters, Float32Array.of(0), adamWState(1), { ...OPTIONS, weightDecay: 0.01 });
    expect(parameters[0]).toBeCloseTo(2 - 0.1 * 0.01 * 2, 6);
  });

  it('finds the minimum of a quadratic', () => {
    const parameters = Float32Array.of(3, -4);
    const state = adamWState(2);
    for (let i = 0; i < 500; i++)
      adamW(parameters, Float32Array.of(2 * (parameters[0]! - 1), 8 * parameters[1]!), state, { ...OPTIONS, learningRate: 0.05 });
    expect(parameters[0]).toBeCloseTo(1, 2);
    expect(parameters[1]).toBeCloseTo(0, 2);
  });

  it('refuses arrays of different lengths', () => {
    expect(() => adamW(new Float32Array(2), new Float32Array(3), adamWState(2), OPTIONS)).toThrow(/equal length/);
  });
});

describe('clipByGlobalNorm', () => {
  it('scales a long gradient down and leaves a short one alone', () => {
    const long = Float32Array.of(3, 4);
    expect(clipByGlobalNorm(long, 1)).toBe(5);
    expect([...long]).toEqual([expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)]);
    const short = Float32Array.of(0.3, 0.4);
    clipByGlobalNorm(short, 1);
    expect([...short]).toEqual([...Float32Array.of(0.3, 0.4)]);
  });

  it('is off at 0 and never spreads a NaN', () => {
    const gradient = Float32Array.of(3, 4);
    clipByGlobalNorm(gradient, 0);
    expect([...gradient]).toEqual([3, 4]);
    const broken = Float32Array.of(NaN, 4);
    expect(clipByGlobalNorm(broken, 1)).toBeNaN();
    expect(broken[1]).toBe(4);
  });
});

describe('learningRateAt', () => {
  it('falls linearly from the first round to the last', () => {
    const options = { learningRate: 1, finalLearningRate: 0.1 };
    expect(learningRateAt(0, 10, options)).toBe(1);
    expect(learningRateAt(9, 10, options)).toBeCloseTo(0.1, 12);
    expect(learningRateAt(99, 10, options)).toBeCloseTo(0.1, 12);
    expect(learningRateAt(0, 1, options)).toBe(1);
  });
});

describe('entropyAt', () => {
  it('goes from the first weight to the share of it that the last round has', () => {
    const at = (round: number): number => entropyAt(round, 5, { entropy: 0.2, finalEntropy: 0.1 });
    expect([0, 2, 4, 9].map(at)).toEqual([0.2, 0.11, 0.02, 0.02].map((value) => expect.closeTo(value, 12) as number));
    expect(entropyAt(3, 5, { entropy: 0.2, finalEntropy: 1 })).toBe(0.2);
  });
});

describe('addToAverage', () => {
  it('grows the decay to its full value, as worked out by hand', () => {
    const average = Float32Array.of(1);
    // 1 - 2/11 of the way to 12; then 1 - 3/12 of the way to 0.
    addToAverage(average, Float32Array.of(12), { decay: 0.9, version: 1 });
    expect(average[0]).toBeCloseTo(10, 5);
    addToAverage(average, Float32Array.of(0), { decay: 0.9, version: 2 });
    expect(average[0]).toBeCloseTo(2.5, 5);
    addToAverage(average, Float32Array.of(12.5), { decay: 0.9, version: 1000 });
    expect(average[0]).toBeCloseTo(3.5, 5);
  });

  it('stays at weights that do not change', () => {
    const average = Float32Array.of(0.3, -7);
    for (let version = 1; version < 50; version++) addToAverage(average, Float32Array.of(0.3, -7), { decay: 0.99, version });
    expect([...average]).toEqual([...Float32Array.of(0.3, -7)]);
  });
});
