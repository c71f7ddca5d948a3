import { describe, expect, it } from 'vitest';
import { rungGains } from './rung-gains.ts';

const SPACE = { x: { kind: 'linear' as const, low: 0, high: 1, integer: false } };
const at = (x: number, ...scores: number[]) => scores.map((score, i) => ({ values: { x }, fidelity: i / 2, score }));

describe('rungGains', () => {
  it('adds up what trials that were measured at two rungs gained in between', () => {
    const gains = rungGains(SPACE, [...at(0.1, 0.2, 0.5, 0.7), ...at(0.2, 0.1, 0.2), ...at(0.3, 0.05)]);
    expect(gains.get(1)).toBe(0);
    expect(gains.get(0.5)).toBeCloseTo(0.2, 12);
    expect(gains.get(0)).toBeCloseTo(0.2 + (0.3 + 0.1) / 2, 12);
  });

  it('is 0 where nothing was measured twice', () => {
    expect([...rungGains(SPACE, [...at(0.1, 0.2), { values: { x: 0.2 }, fidelity: 1, score: 0.9 }])]).toEqual([
      [1, 0],
      [0, 0],
    ]);
    expect(rungGains(SPACE, []).size).toBe(0);
  });
});
