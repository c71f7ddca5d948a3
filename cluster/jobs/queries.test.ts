import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { loadFlow } from '../../src/flow/load.ts';
import { loadTasks } from '../../src/tasks/load.ts';
import { decodeQueries, encodeQueries, onQueries, type Query } from './queries.ts';

const queries: Query[] = [
  { query: 'a', expected_outcome: 'é' },
  { query: 'b', expected_outcome: { n: [1, null] } },
];

it('keeps queries as they are', () => {
  expect(decodeQueries(encodeQueries(queries))).toEqual(queries);
});

it('makes tasks of queries, with the context of the flow', async () => {
  const flow = await loadFlow('docs/shortest-flow/flow.ts');
  const takes = {
    ...flow,
    load: async () => ({ tasks: [], context: 'the world' }),
    fromQuery: ({ query, index }: { query: string; index: number }) => ({ id: `q-${index}`, word: query }),
  };
  const load = (of: typeof flow, given: Query[] = queries) =>
    loadTasks(
      onQueries(of, () => Promise.resolve(given)),
      { clock: systemClock },
    );
  const { tasks, context } = await load(takes);
  expect(tasks.map(({ id, json }) => [id, JSON.parse(json) as unknown])).toEqual([
    ['q-0', { id: 'q-0', word: 'a' }],
    ['q-1', { id: 'q-1', word: 'b' }],
  ]);
  expect(context).toBe('the world');
  await expect(load(flow)).rejects.toMatchObject({ code: 'failed_precondition', field: 'training_data', message: /fromQuery/ });
  const refuses = { ...takes, fromQuery: ({ index }: { index: number }) => (index === 1 ? fail() : { id: 'x', word: 'w' }) };
  await expect(load(refuses)).rejects.toMatchObject({
    code: 'invalid_argument',
    field: 'training_data[1]',
    message: /no number/,
  });
  const twice = { ...takes, fromQuery: () => ({ id: 'same', word: 'w' }) };
  await expect(load(twice)).rejects.toMatchObject({ code: 'invalid_argument', message: /training_data\[1\].*already the id/s });
});

function fail(): never {
  throw new Error('no number in the query');
}
