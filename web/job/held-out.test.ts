import { expect, it } from 'vitest';
import { heldOutPoints, wilson } from './held-out.ts';

it('the curve has the evaluations of the trained policy and the untrained one as its first', () => {
  const points = heldOutPoints([
    { name: 'rule', tasks: 10, successes: 10 },
    { name: 'trained', policyVersion: 20, tasks: 12, failed: 2, successes: 9 },
    { name: 'untrained', tasks: 10, successes: 1 },
    { name: 'trained', policyVersion: 40, tasks: 3, failed: 3 },
  ]);
  expect(points.map(({ version, rate }) => [version, rate])).toEqual([
    [0, 0.1],
    [20, 0.9],
  ]);
});

it('an interval is the one that the cluster told, else Wilson’s', () => {
  const metrics = { success: { value: 0.5, low: 0.4, high: 0.6 } };
  expect(heldOutPoints([{ name: 'trained', policyVersion: 1, tasks: 10, successes: 5, metrics }])[0]).toMatchObject({
    low: 0.4,
    high: 0.6,
  });
  const [low, high] = wilson(93, 93);
  expect([low.toFixed(2), high.toFixed(2)]).toEqual(['0.96', '1.00']);
});
