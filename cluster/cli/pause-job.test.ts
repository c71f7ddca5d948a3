import { expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from './context.ts';
import { pauseJob } from './pause-job.ts';

/** A context whose admin API answers in this way. */
function context(getJob: () => Promise<unknown>, pauseJob: () => Promise<unknown> = () => Promise.resolve({})): CliContext {
  return { withAdmin: (work: (admin: unknown) => Promise<string>) => work({ getJob, pauseJob }) } as unknown as CliContext;
}

it.each<[string, CliContext]>([
  ['is paused', context(() => Promise.resolve({ job: { state: JobState.RUNNING } }))],
  ['waits in the queue', context(() => Promise.resolve({ job: { state: JobState.QUEUED } }))],
  // Interrupted between the line that announces it and the call that creates it.
  ['has not begun', context(() => Promise.reject(new MillraceError('not_found', 'There is no job "a-1".')))],
  ['could not be paused (NATS is away)', context(() => Promise.reject(new MillraceError('unavailable', 'NATS is away')))],
])('an interrupted job %s', async (words, interrupted) => {
  expect(await pauseJob('a-1', interrupted)).toBe(words);
});
