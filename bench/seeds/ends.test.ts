import { describe, expect, it } from 'vitest';
import type { CurvePoint } from '../algorithms/curve.ts';
import type { TrialResult } from '../algorithms/trial.ts';
import { crossing, endOf, figuresOf } from './ends.ts';

const curve = (...successes: number[]): CurvePoint[] =>
  successes.map((success, i) => ({ round: i + 1, trajectories: 100 * (i + 1), success, seconds: i }));
const trial = (tested: number | null, ...successes: number[]): TrialResult =>
  ({ curve: curve(...successes), tested, cpuSeconds: 5, setup: { target: 0.8 } }) as unknown as TrialResult;

describe('crossing', () => {
  it('is between the evaluations before and after it', () => {
    expect(crossing(curve(0.2, 0.6, 1), 0.8)).toBe(250);
    expect(crossing(curve(0.8), 0.4)).toBe(50);
    expect(crossing(curve(0.2, 0.8, 0.1), 0.8)).toBe(200);
    expect(crossing(curve(0.2, 0.3), 0.8)).toBeNull();
    expect(crossing([], 0.8)).toBeNull();
  });
});

describe('endOf', () => {
  it('says where a seed ended and how far it fell on the way', () => {
    expect(endOf(3, trial(0.9, 0.5, 0.9, 0.85, 0.88))).toEqual({
      ...{ seed: 3, tested: 0.9, best: 0.9, last: 0.88, toTarget: 175, cpuSeconds: 5 },
      largestDrop: expect.closeTo(5, 9) as number,
    });
  });
});

describe('figuresOf', () => {
  it('takes the worst seed, and the mean of all: one that never arrives makes it infinite', () => {
    const ends = [endOf(1, trial(0.97, 0.5, 0.9)), endOf(2, trial(0.94, 0.5, 1))];
    expect(figuresOf(ends)).toEqual({ leastTested: 0.94, meanToTarget: (175 + 160) / 2 });
    expect(figuresOf([...ends, endOf(3, trial(null, 0.5))])).toEqual({ leastTested: 0.5, meanToTarget: Infinity });
  });
});
