import { expect, it } from 'vitest';
import type { QueryResult } from '../../src/store/store.ts';
import { idOf } from '../load/messages.ts';
import { syntheticTemplates } from '../load/templates.ts';
import { awaitQueryable } from './poller.ts';

const templates = syntheticTemplates(2);
const never = new AbortController().signal;

/** A store that shows more with every question. */
function growing(stages: readonly (readonly [sequence: number, steps: number][])[]): (sql: string) => Promise<QueryResult> {
  let asked = 0;
  return async (sql) => {
    const trajectories = sql.includes('FROM trajectories');
    if (trajectories) asked += 1;
    const stage = stages[Math.min(asked, stages.length) - 1]!;
    const rows = stage.map(([sequence, steps]) => [
      idOf('probe', sequence, templates[sequence % 2]!.taskId),
      trajectories ? 16 : steps,
    ]);
    return { columns: [], rows, truncated: false };
  };
}

it('sees a group when all of its rows are there, and asks no more when it has seen all', async () => {
  const [zero, three] = [templates[0]!.steps.length, templates[1]!.steps.length];
  const query = growing([
    [],
    [[0, zero - 1]],
    [
      [0, zero],
      [3, three],
    ],
  ]);
  const seen = await awaitQueryable(query, { job: 'probe', sequences: [0, 3], templates }, never);
  expect([...seen.keys()]).toEqual([0, 3]);
  expect(seen.get(0)).toBeGreaterThan(performance.timeOrigin);
});

it('gives up when it is told to', async () => {
  const told = new AbortController();
  const query = async (): Promise<QueryResult> => {
    told.abort();
    return { columns: [], rows: [], truncated: false };
  };
  const seen = await awaitQueryable(query, { job: 'probe', sequences: [0], templates }, told.signal);
  expect(seen.size).toBe(0);
});
