import { expect, it } from 'vitest';
import { aligned, type Sibling } from './aligned.ts';

const sibling = (member: number, tools: string[], calls: string[]): Sibling => ({
  ...{ trajectory_id: `t${member}`, member, success: true, valid: true, reward: 1, advantage: 0 },
  ...{ tools, calls, errors: tools.map(() => false) },
});

it('steps at which siblings did different things are told from the others', () => {
  const steps = aligned([
    sibling(0, ['get', 'set', 'done'], ['{}', '{"x":1}', '{}']),
    sibling(1, ['get', 'set'], ['{}', '{"x":2}']),
  ]);
  expect(steps.map(({ differs }) => differs)).toEqual([false, true, true]);
  expect(steps[2]!.cells).toEqual([{ tool: 'done', arguments: '{}', error: false }, undefined]);
});

it('a group without siblings has no steps', () => {
  expect(aligned([])).toEqual([]);
});
