import { expect, it } from 'vitest';
import { applied, type Changes } from './live.ts';

const changes = (more: Partial<Changes>): Changes => ({
  feed: 'jobs',
  cursor: 'a:1',
  reset: false,
  items: [],
  gone: [],
  ...more,
});

it('what is new is added to what is known, and what is gone leaves it', () => {
  const known = applied(
    undefined,
    changes({
      reset: true,
      items: [
        { id: 'a', n: 1 },
        { id: 'b', n: 1 },
      ],
    }),
  );
  const next = applied(known, changes({ items: [{ id: 'b', n: 2 }], gone: ['a'] }));
  expect([...next.values()]).toEqual([{ id: 'b', n: 2 }]);
  expect([...known.keys()]).toEqual(['a', 'b']);
});

it('after a reset nothing is left of what was known', () => {
  const known = applied(undefined, changes({ reset: true, items: [{ id: 'a' }] }));
  expect([...applied(known, changes({ reset: true, items: [{ id: 'b' }] })).keys()]).toEqual(['b']);
});
