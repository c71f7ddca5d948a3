import { describe, expect, it } from 'vitest';
import { best } from './best.ts';

describe('best', () => {
  it('keeps the best, the newer one of equals, and prefers any score to none', () => {
    const candidates = [0.2, 0.9, NaN, 0.9, 0.5].map((score, version) => ({ version, score }));
    expect(best(3, candidates).map(({ version }) => version)).toEqual([3, 1, 4]);
    expect(best(9, candidates).map(({ version }) => version)).toEqual([3, 1, 4, 0, 2]);
    expect(best(0, candidates)).toEqual([]);
  });
});
