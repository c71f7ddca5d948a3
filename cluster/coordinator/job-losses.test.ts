import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../test/support/thermostat.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { emptyLedger, end } from '../../src/jobs/ledger.ts';
import { coordinatedJob } from './job.fixture.ts';
import { SharedLooks } from './shared-looks.ts';
import { JobLosses } from './job-losses.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const manifest = create(WeightManifestSchema, {
  job: 'a',
  version: 1,
  ledger: [0, 1, 2].reduce((ledger, sequence) => end(ledger, sequence, 'trained', 2), emptyLedger()),
});

describe('JobLosses', () => {
  it('says that requests are lost with a durable, and counts the attempt', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const losses = new JobLosses(job, new SharedLooks(job.context), undefined);
    await run(losses.ensureStreams());
    expect(await run(losses.checkStreams())).toBe(false);
    const known = job.record.streams!;
    expect(Object.keys(known)).toContain('SCORED/trainer-a');
    await run(context.bus.deleteDurable('SCORED', 'trainer-a'));
    await run(context.clock.sleep(1000));
    expect(await run(losses.checkStreams())).toBe(true);
    expect(job.record).toMatchObject({ attempt: 1 });
    expect(job.record.streams!['SCORED/trainer-a']).not.toBe(known['SCORED/trainer-a']);
    expect(await run(losses.checkStreams())).toBe(false);
    await release();
  });

  it('makes no durable again once the lease is lost', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const losses = new JobLosses(job, new SharedLooks(job.context), undefined);
    await run(losses.ensureStreams());
    await run(losses.checkStreams());
    // Another coordinator has the lease, has ended the job and deleted what it left.
    await release();
    for (const durable of ['evaluations-a', 'trainer-a']) await run(context.bus.deleteDurable('SCORED', durable));
    expect(await run(losses.checkStreams())).toBe(false);
    await expect(run(losses.ensureStreams())).rejects.toThrow('the lease of job a was lost');
    for (const durable of ['evaluations-a', 'trainer-a'])
      expect(await run(context.bus.durableState('SCORED', durable))).toBeUndefined();
  });

  it('counts rows that were lost at the end of the job, and only where some can be', async () => {
    const { job, context, run, release } = await coordinatedJob(folder.path);
    const countStored = vi.fn(() => Promise.resolve(1));
    const losses = new JobLosses(job, new SharedLooks(job.context), countStored);
    const report = vi.spyOn(context.notices, 'report');
    job.machine.committed(manifest);
    await run(losses.countUnstored(true));
    expect(countStored).not.toHaveBeenCalled();
    await run(job.updateOpen((record) => ({ ...record, unstored: 0 })));
    await run(losses.ensureStreams());
    await run(losses.countUnstored(true));
    expect(job.record.unstored).toBe(2);
    expect(report).toHaveBeenCalledWith('a', expect.objectContaining({ code: 'ROWS_UNSTORED' }));
    countStored.mockRejectedValue(new Error('no store'));
    await run(losses.countUnstored(true));
    expect(job.record.unstored).toBe(2);
    await release();
  });
});
