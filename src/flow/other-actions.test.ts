import fc from 'fast-check';
import { expect, it } from 'vitest';
import { otherActions } from './other-actions.ts';

it('names the most likely of the others, the first of equals first', () => {
  const open = [{ tool: 'a' }, { tool: 'b', items: [0, 2] }, { tool: 'c', items: [] }, { tool: 'd' }];
  const logs = [0.1, 0.2, 0.5, 0.2].map(Math.log);
  expect(otherActions(open, logs, 0)).toEqual({ actions: ['c', 'b(0, 2)', 'd'], probabilities: [0.5, 0.2, 0.2] });
  expect(otherActions(open, logs, 2).actions).toEqual(['b(0, 2)', 'd', 'a']);
  expect(otherActions([{ tool: 'a' }], [0], 0)).toEqual({ actions: [], probabilities: [] });
});

it('are at most eight, and as sorting has them', () => {
  const logs = fc.array(fc.oneof(fc.double({ max: 0, noNaN: true }), fc.constant(-Infinity), fc.constant(-1)), {
    minLength: 1,
    maxLength: 40,
  });
  fc.assert(
    fc.property(logs, fc.nat(), (values, n) => {
      const chosen = n % values.length;
      const open = values.map((_, i) => ({ tool: `t${i}` }));
      const sorted = values.map((_, i) => i).filter((i) => i !== chosen);
      sorted.sort((a, b) => (values[a] === values[b] ? a - b : values[b]! - values[a]!));
      const wanted = sorted.slice(0, 8);
      const { actions, probabilities } = otherActions(open, values, chosen);
      expect(actions).toEqual(wanted.map((i) => `t${i}`));
      probabilities.forEach((p, i) => expect(p).toBeCloseTo(Math.exp(values[wanted[i]!]!), 3));
    }),
  );
});
