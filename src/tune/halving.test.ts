import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluationInterval, goesOn } from './halving.ts';

describe('goesOn', () => {
  it('lets the better half go on', () => {
    expect(goesOn(0, [], 0.5)).toBe(true);
    expect(goesOn(0.4, [0.5], 0.5)).toBe(false);
    expect(goesOn(0.6, [0.5], 0.5)).toBe(true);
    expect(goesOn(0.4, [0.5, 0.3], 0.5)).toBe(true); // two of three
    expect(goesOn(0.4, [0.5, 0.6, 0.3], 0.5)).toBe(false); // two of four
    expect(goesOn(0, [1, 1, 1], 1)).toBe(true);
  });

  it('does not take the last digit of a share for another trial', () => {
    const others = [9, 8, 7, 6, 5, 4, 3, 2, 1];
    expect(goesOn(6.5, others, 0.3)).toBe(false);
    expect(goesOn(7.5, others, 0.3)).toBe(true);
  });

  it('keeps the best share, and more only of equals', () => {
    const scores = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(scores, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, keep) => {
        const kept = all.filter((score, i) =>
          goesOn(
            score,
            all.filter((_, j) => j !== i),
            keep,
          ),
        );
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(all.length, Math.ceil(keep * all.length - 1e-9)));
        const worst = Math.min(...kept);
        expect(all.filter((score) => score >= worst).length).toBe(kept.length);
        expect(kept.filter((score) => score > worst).length).toBeLessThan(Math.max(1, Math.ceil(keep * all.length - 1e-9)));
      }),
    );
  });
});

describe('evaluationInterval', () => {
  it('comes to every rung, at most as far apart as wanted', () => {
    expect(evaluationInterval([40, 80, 160], 0)).toBe(40);
    expect(evaluationInterval([40, 80, 160], 25)).toBe(20);
    expect(evaluationInterval([50, 100, 300], 25)).toBe(25);
    expect(evaluationInterval([300], 25)).toBe(25);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
        fc.integer({ min: 0, max: 100 }),
        (rungs, wanted) => {
          const every = evaluationInterval(rungs, wanted);
          expect(rungs.every((rung) => rung % every === 0)).toBe(true);
          if (wanted > 0) expect(every).toBeLessThanOrEqual(wanted);
        },
      ),
    );
  });
});
