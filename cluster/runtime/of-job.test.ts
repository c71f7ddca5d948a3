import { expect, it } from 'vitest';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { MillraceError } from '../../src/errors.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import type { JobDirectory, JobEntry } from '../jobs/directory.ts';
import type { Delivery } from './delivery.ts';
import { ofJob } from './of-job.ts';
import { later } from './outcome.ts';

const delivery = {} as Delivery;
const running = transition(createJobRecord({ id: 'a', config: thermostatJob([]), now: 0 }), 'RUNNING', { now: 0 });

/** A handler of messages that are ids of jobs, of which there is one; `handled` has those that were worked on. */
function setUp(record = running) {
  const handled: string[] = [];
  const find = (id: string): Promise<JobEntry | undefined> =>
    Promise.resolve(id === record.id ? { record, revision: 1 } : undefined);
  const handle = ofJob<string>(
    { jobs: { find } as JobDirectory },
    (id) => id,
    (id, job) => {
      handled.push(`${id} of ${job.id}`);
      return Promise.resolve(later(5));
    },
  );
  return { handle, handled };
}

it('gives a message to its handler with the record of its job', async () => {
  const { handle, handled } = setUp();
  expect(await handle('a', delivery)).toEqual({ kind: 'later', delayMs: 5 });
  expect(handled).toEqual(['a of a']);
});

it('refuses a message of no job', async () => {
  const { handle, handled } = setUp();
  expect(await handle('b', delivery)).toEqual({ kind: 'refused', reason: 'there is no job "b"' });
  expect(handled).toEqual([]);
});

it('is done with a message of a job that has ended', async () => {
  const { handle, handled } = setUp(transition(running, 'CANCELLED', { now: 1 }));
  expect(await handle('a', delivery)).toEqual({ kind: 'done' });
  expect(handled).toEqual([]);
});

it('passes on that the jobs cannot be read now', async () => {
  const find = (): Promise<never> => Promise.reject(new MillraceError('unavailable', 'no server'));
  const handle = ofJob<string>(
    { jobs: { find } as unknown as JobDirectory },
    (id) => id,
    () => Promise.resolve(later(5)),
  );
  await expect(handle('a', delivery)).rejects.toThrow('no server');
});
