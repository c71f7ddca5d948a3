import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { changeJobs, failureOf, parseStates, STATES } from './job-selection.ts';

describe('states of jobs', () => {
  it('are named in lower case, several with commas', () => {
    expect(parseStates(['running,Paused', 'failed'])).toEqual(new Set(['running', 'paused', 'failed']));
    expect(STATES).toEqual(
      expect.arrayContaining(['queued', 'running', 'paused', 'succeeded', 'failed', 'cancelled', 'unreadable']),
    );
  });

  it('that are none are refused, with those there are', () => {
    for (const wrong of [['runing'], ['running,'], ['']])
      expect(() => parseStates(wrong)).toThrow(expect.objectContaining({ code: 'invalid_argument', field: '--status' }) as Error);
    expect(() => parseStates(['runing'])).toThrow(/is not a job state; use queued, /);
  });
});

describe('changing several jobs', () => {
  const change = (id: string): Promise<never> =>
    id === 'b' ? (Promise.resolve({ id }) as never) : Promise.reject(new MillraceError('not_found', `There is no job ${id}.`));

  it('goes on after one that cannot be changed, and names all of them', async () => {
    const changes = await changeJobs(['a', 'b', 'c'], change);
    expect(changes.changed).toEqual([{ id: 'b' }]);
    expect(failureOf(changes)).toMatchObject({
      code: 'not_found',
      message: '2 of 3 jobs failed:\n  a: There is no job a.\n  c: There is no job c.',
    });
  });

  it('fails with the error itself where it is the only one', async () => {
    expect(failureOf(await changeJobs(['a'], change))).toMatchObject({ code: 'not_found', message: 'There is no job a.' });
    expect(failureOf(await changeJobs(['b'], change))).toBeUndefined();
  });
});
