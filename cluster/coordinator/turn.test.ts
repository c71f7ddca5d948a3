import { describe, expect, it } from 'vitest';
import type { JobRecord } from '../../src/jobs/record.ts';
import { hasTurn } from './turn.ts';

type Turn = Parameters<typeof hasTurn>[0];
const job = (id: string, state: JobRecord['state'], createdAt = 0, unsettled: JobRecord['unsettled'] = []): Turn => ({
  id,
  state,
  createdAt,
  unsettled,
});
/** Ids of the jobs whose turn it is. */
const turns = (jobs: Turn[], maxRunning = 1): string[] =>
  jobs.filter((one) => hasTurn(one, jobs, maxRunning)).map(({ id }) => id);

describe('hasTurn', () => {
  it('starts the oldest queued job, by id where they are as old', () => {
    expect(turns([job('c', 'QUEUED', 2), job('b', 'QUEUED', 1), job('a', 'QUEUED', 1)])).toEqual(['a']);
    expect(turns([job('c', 'QUEUED', 2), job('b', 'QUEUED', 1), job('a', 'QUEUED', 1)], 2)).toEqual(['b', 'a']);
  });

  it('starts none while as many run as may', () => {
    expect(turns([job('a', 'RUNNING'), job('b', 'QUEUED', 1)])).toEqual(['a']);
    expect(turns([job('a', 'RUNNING'), job('b', 'QUEUED', 1)], 2)).toEqual(['a', 'b']);
  });

  it('gives a paused job no place among those that run', () => {
    expect(turns([job('a', 'PAUSED'), job('b', 'QUEUED', 1)])).toEqual(['a', 'b']);
  });

  it('keeps an ended job until its queues are settled', () => {
    expect(
      turns([job('a', 'CANCELLED', 0, ['queues', 'books']), job('b', 'FAILED', 0, ['books']), job('c', 'SUCCEEDED')]),
    ).toEqual(['a']);
  });
});
