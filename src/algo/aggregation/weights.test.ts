import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decisionWeights, weighDecisions } from './weights.ts';

describe('weights of decisions', () => {
  it('let each trajectory weigh the same, or each decision, or divide by a constant', () => {
    expect([...decisionWeights([1, 4], 'trajectory')]).toEqual([1, 0.25, 0.25, 0.25, 0.25]);
    expect([...decisionWeights([1, 2], 'decision')]).toEqual([1, 1, 1]);
    expect([...decisionWeights([1, 2], 'constant', 4)]).toEqual([0.25, 0.25, 0.25]);
  });

  it('are divided by their sum; with a constant by the number of trajectories', () => {
    expect(weighDecisions([[1, 4], [2]], 'trajectory').total).toBe(3);
    expect(weighDecisions([[1, 4], [2]], 'decision').total).toBe(7);
    expect(weighDecisions([[1, 4], [2]], 'constant', 4).total).toBe(3);
  });

  it('do not depend on how the groups are split', () => {
    const groups = fc.array(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), { maxLength: 5 });
    fc.assert(
      fc.property(groups, fc.constantFrom('trajectory' as const, 'decision' as const, 'constant' as const), (lengths, kind) => {
        const whole = weighDecisions(lengths, kind, 8);
        const parts = lengths.map((group) => weighDecisions([group], kind, 8));
        expect(parts.flatMap(({ weights }) => [...weights])).toEqual([...whole.weights]);
        expect(parts.reduce((sum, { total }) => sum + total, 0)).toBeCloseTo(whole.total, 8);
      }),
    );
  });
});
