import { expect, it } from 'vitest';
import { aligned, type Sibling } from './aligned.ts';

const sibling = (member: number, tools: string[], calls: string[]): Sibling => ({
  ...{ trajectory_id: `t${member}`, member, success: true, valid: true, reward: 1, advantage: 0 },
  ...{ tools, calls, errors: tools.map(() => false) },
});

it('the step at which a sibling parts from the first one is told from those before and after', () => {
  const steps = aligned([
    sibling(0, ['get', 'set', 'done'], ['{}', '{"x":1}', '{}']),
    sibling(1, ['get', 'set', 'done', 'done'], ['{}', '{"x":2}', '{}', '{}']),
    sibling(2, ['get'], ['{}']),
  ]);
  expect(steps.map((cells) => cells.map((cell) => cell?.kind))).toEqual([
    ['same', 'same', 'same'],
    ['same', 'parts', undefined],
    ['same', 'own', undefined],
    [undefined, 'own', undefined],
  ]);
  expect(steps[1]![1]).toEqual({ tool: 'set', arguments: '{"x":2}', error: false, kind: 'parts' });
});

it('a group without siblings has no steps', () => {
  expect(aligned([])).toEqual([]);
});
