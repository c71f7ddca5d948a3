import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { transition } from '../../src/jobs/record.ts';
import { coordinatedJob } from './job.fixture.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

describe('CoordinatedJob', () => {
  it('knows its own changes and, once it has read them, those of others', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    await run(job.update((record) => ({ ...record, accepted: 3 })));
    expect(job.record.accepted).toBe(3);
    await run(context.jobs.update('a', (record) => ({ ...record, attempt: 2 })));
    expect(job.record.attempt).toBe(0);
    await run(job.refresh());
    expect([job.record.attempt, job.record.accepted]).toEqual([2, 3]);
    await release();
  });

  it('draws attempts that no other coordinator has drawn', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const first = await run(job.drawAttempt());
    await run(context.jobs.update('a', (record) => ({ ...record, taken: first + 3 })));
    expect(await run(job.drawAttempt())).toBe(first + 4);
    expect(job.record.taken).toBe(first + 4);
    await release();
  });

  it('leaves a job that has ended as it is', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    await run(context.jobs.update('a', (record) => transition(record, 'CANCELLED', { now: 3 })));
    await run(job.updateOpen((record) => ({ ...record, accepted: 3 })));
    expect([job.record.state, job.record.accepted, job.machine.ended]).toEqual(['CANCELLED', 0, true]);
    await release();
  });

  it('notes its start once, and that it goes on under another lease', async () => {
    const queued = await coordinatedJob(folder.path, (record) => ({ ...record, state: 'QUEUED' }));
    await queued.run(queued.job.recordStart('training on 3 tasks'));
    await queued.run(queued.job.recordStart('training on 3 tasks'));
    expect([queued.job.record.state, queued.job.record.resumedAt.length]).toEqual(['RUNNING', 1]);
    await queued.release();
    const { job, run, release } = await coordinatedJob(folder.path);
    await run(job.recordStart('training on 3 tasks'));
    await run(job.recordStart('training on 3 tasks'));
    expect([job.record.state, job.record.resumedAt.length]).toEqual(['RUNNING', 1]);
    await release();
  });
});
