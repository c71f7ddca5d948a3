import { expect, it } from 'vitest';
import { MOST_NESTED, nestedTooDeeply } from './nesting.ts';

const lists = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);

it('finds what is nested too deeply, however deep it is', () => {
  expect(nestedTooDeeply({ a: 1, b: lists(MOST_NESTED - 1) })).toBeUndefined();
  expect(nestedTooDeeply({ a: [1], b: lists(MOST_NESTED) })).toBe('b');
  expect(nestedTooDeeply(lists(1_000_000))).toBe('0');
  for (const plain of [1, 'x', null, undefined, []]) expect(nestedTooDeeply(plain)).toBeUndefined();
});
