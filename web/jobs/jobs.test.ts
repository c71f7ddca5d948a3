import { expect, it } from 'vitest';
import type { Job, JobState } from '../api/types.ts';
import { verbsFor } from './actions.tsx';
import { chosen } from './jobs.tsx';

const job = (id: string, state: string, owner = 'ann'): Job => ({ id, owner, state: `JOB_STATE_${state}` as JobState });

it('a job can be paused, resumed and cancelled where that means something', () => {
  const verbs = ['QUEUED', 'RUNNING', 'PAUSED', 'FAILED', 'SUCCEEDED', 'CANCELLED'].map((state) =>
    verbsFor(job('a', state)).join(),
  );
  expect(verbs).toEqual(['Pause,Cancel', 'Pause,Cancel', 'Resume,Cancel', 'Resume', '', '']);
});

it('jobs are found by state, id and owner', () => {
  const all = [job('retail-1', 'RUNNING'), job('retail-2', 'PAUSED', 'bob'), job('words-1', 'RUNNING', 'bob')];
  const ids = (state: string, words: string): string =>
    chosen(all, state, words)
      .map(({ id }) => id)
      .join();
  expect([ids('all', ''), ids('running', ''), ids('all', 'BOB ret'), ids('running', 'nobody')]).toEqual([
    'retail-1,retail-2,words-1',
    'retail-1,words-1',
    'retail-2',
    '',
  ]);
});
