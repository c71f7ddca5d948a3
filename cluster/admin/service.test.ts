import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ActorSchema, AdminService, JobState, NodeSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient } from '../../src/rpc/client.ts';
import type { ServiceClient } from '../../src/rpc/client.ts';
import { startServer } from '../../src/rpc/server.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { MemoryBackend } from './memory-backend.ts';
import { collectQuery } from './query-rows.ts';
import { adminService } from './service.ts';

const CONFIG = JSON.stringify({ name: 'retail', flow: '/flows/retail.ts' });

describe('admin service', () => {
  let backend: MemoryBackend;
  let server: RunningServer;
  let admin: ServiceClient<typeof AdminService>;

  beforeEach(async () => {
    backend = new MemoryBackend();
    server = await startServer({ services: [adminService(backend)] });
    admin = createClient(AdminService, server.address);
  });
  afterEach(async () => {
    admin.close();
    await server.stop(500);
  });

  it('creates jobs that go on with another', async () => {
    await admin.createJob({ jobId: 'first', configJson: CONFIG });
    expect((await admin.createJob({ fork: 'first@3' })).job).toMatchObject({ id: 'retail-1' });
    expect(backend.forks).toEqual([{ job: 'first', version: 3 }]);
    const refused = (request: object) => admin.createJob(request).catch((error: unknown) => error);
    expect(await refused({ fork: 'first', from: 'first' })).toMatchObject({ code: 'invalid_argument', field: 'fork' });
    expect(await refused({ fork: '/a/folder' })).toMatchObject({ code: 'invalid_argument', field: 'fork' });
    expect(await refused({ fork: 'nobody' })).toMatchObject({ code: 'not_found' });
    expect((await admin.listCheckpoints({ jobId: 'first' })).checkpoints).toEqual([]);
    await expect(admin.listCheckpoints({ jobId: '' })).rejects.toMatchObject({ field: 'job_id' });
  });

  it('creates jobs with the resolved configuration, and makes ids', async () => {
    const { job } = await admin.createJob({ jobId: 'mine', configJson: CONFIG });
    expect(job).toMatchObject({ id: 'mine', state: JobState.QUEUED });
    expect(JSON.parse(job?.configJson ?? '')).toMatchObject({ name: 'retail', rollout: { groupSize: 8 } });
    expect((await admin.createJob({ configJson: CONFIG })).job?.id).toBe('retail-1');
    await admin.createJob({ jobId: 'retail-7', configJson: CONFIG });
    expect((await admin.createJob({ configJson: CONFIG })).job).toMatchObject({ id: 'retail-8', owner: 'local', priority: 0 });
    const owned = await admin.createJob({ configJson: CONFIG, owner: 'ann', priority: -3 });
    expect(owned.job).toMatchObject({ owner: 'ann', priority: -3 });
    await expect(admin.createJob({ jobId: 'mine', configJson: CONFIG })).rejects.toMatchObject({
      code: 'already_exists',
      field: 'job_id',
    });
  });

  it.each([
    ['no configuration', { jobId: 'a' }, 'config_json', /is missing/],
    ['no JSON', { configJson: '{' }, 'config_json', /not valid JSON/],
    [
      'an unknown key',
      { configJson: JSON.stringify({ name: 'a', flow: 'f', rollout: { groupsize: 3 } }) },
      'rollout.groupsize',
      /groupSize/,
    ],
    [
      'a value out of range',
      { configJson: JSON.stringify({ name: 'a', flow: 'f', rollout: { groupSize: 1 } }) },
      'rollout.groupSize',
      /got 1/,
    ],
    ['a bad id', { jobId: 'Retail!', configJson: CONFIG }, 'job_id', /"Retail!" is not a job id/],
    ['an owner with a space', { configJson: CONFIG, owner: 'Ann Lab' }, 'owner', /"Ann Lab" is not a valid owner name/],
    ['a priority out of bounds', { configJson: CONFIG, priority: 101 }, 'priority', /got 101, expected -100 to 100/],
    ['a long id', { jobId: 'a'.repeat(41), configJson: CONFIG }, 'job_id', /1 to 40/],
  ])('refuses %s', async (_what, request, field, message) => {
    const call = admin.createJob(request);
    await expect(call).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
      message: expect.stringMatching(message) as string,
    });
    expect(backend.jobs.size).toBe(0);
  });

  it('gets, pauses, resumes and cancels', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    expect((await admin.pauseJob({ jobId: 'a' })).job?.state).toBe(JobState.PAUSED);
    expect((await admin.resumeJob({ jobId: 'a' })).job?.state).toBe(JobState.RUNNING);
    expect((await admin.cancelJob({ jobId: 'a' })).job?.state).toBe(JobState.CANCELLED);
    expect((await admin.cancelJob({ jobId: 'a' })).job?.state).toBe(JobState.CANCELLED);
    expect((await admin.getJob({ jobId: 'a' })).job?.id).toBe('a');
    for (const call of [admin.getJob, admin.cancelJob, admin.pauseJob, admin.resumeJob]) {
      await expect(call({ jobId: 'b' })).rejects.toMatchObject({ code: 'not_found' });
      await expect(call({ jobId: '' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'job_id' });
    }
    await expect(admin.watchJob({ jobId: 'b' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('lists newest first, page by page, whatever is created in between', async () => {
    for (let i = 0; i < 7; i++) await admin.createJob({ jobId: `job-${i}`, configJson: CONFIG });
    const first = await admin.listJobs({ pageSize: 3 });
    expect(first.jobs.map(({ id }) => id)).toEqual(['job-6', 'job-5', 'job-4']);
    await admin.createJob({ jobId: 'late', configJson: CONFIG });
    const second = await admin.listJobs({ pageSize: 3, pageToken: first.nextPageToken });
    expect(second.jobs.map(({ id }) => id)).toEqual(['job-3', 'job-2', 'job-1']);
    const third = await admin.listJobs({ pageSize: 3, pageToken: second.nextPageToken });
    expect(third.jobs.map(({ id }) => id)).toEqual(['job-0']);
    expect(third.nextPageToken).toBe('');
    expect((await admin.listJobs({})).jobs).toHaveLength(8);
    await expect(admin.listJobs({ pageSize: 1001 })).rejects.toMatchObject({ code: 'invalid_argument', field: 'page_size' });
    await expect(admin.listJobs({ pageSize: -1 })).rejects.toMatchObject({ code: 'invalid_argument', field: 'page_size' });
    await expect(admin.listJobs({ pageToken: 'bm9uc2Vuc2U' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'page_token',
    });
  });

  it('watches at once, after each change, and until the end', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    const states: string[] = [];
    for await (const { job } of admin.watchJob({ jobId: 'a' })) {
      states.push(JobState[(job as Job).state]);
      if (states.length === 1) void backend.change('a', (j) => (j.state = JobState.RUNNING));
      if (states.length === 2)
        void backend.change('a', () => {}).then(() => backend.change('a', (j) => (j.state = JobState.SUCCEEDED)));
    }
    expect(states).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);
    await expect.poll(() => backend.watchers).toBe(0);
    const again: { job?: Job | undefined }[] = [];
    for await (const response of admin.watchJob({ jobId: 'a' })) again.push(response);
    expect(again.map(({ job }) => job?.state)).toEqual([JobState.SUCCEEDED]);
  });

  it('leaves out states that a slow watcher has no time for, never the last one', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    const text = 'x'.repeat(50_000);
    const stream = admin.watchJob({ jobId: 'a' })[Symbol.asyncIterator]();
    await stream.next();
    for (let i = 0; i < 2000; i++) await backend.change('a', (job) => (job.waitingFor = `${i} ${text}`));
    await backend.change('a', (job) => (job.state = JobState.FAILED));
    let received = 0;
    let last: Job | undefined;
    for (let step = await stream.next(); !step.done; step = await stream.next()) {
      received += 1;
      last = step.value.job;
    }
    expect(received).toBeLessThan(1900);
    expect(last).toMatchObject({ state: JobState.FAILED, waitingFor: `1999 ${text}` });
  });

  it('ends the backend’s watch when the watcher leaves', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    for await (const _ of admin.watchJob({ jobId: 'a' })) break;
    await expect.poll(() => backend.watchers).toBe(0);
  });

  it('lists nodes and actors in order', async () => {
    backend.nodes.push(create(NodeSchema, { id: 'rollout-1' }), create(NodeSchema, { id: 'coordinator-1', rssBytes: 5n }));
    backend.actors.push(create(ActorSchema, { address: 'b/reward/0' }), create(ActorSchema, { address: 'a/job/x' }));
    expect((await admin.listNodes({})).nodes.map(({ id }) => id)).toEqual(['coordinator-1', 'rollout-1']);
    expect((await admin.listActors({})).actors.map(({ address }) => address)).toEqual(['a/job/x', 'b/reward/0']);
    expect((await admin.listActors({ nodeId: 'b' })).actors.map(({ address }) => address)).toEqual(['b/reward/0']);
    await expect(admin.listActors({ nodeId: 'no such/node' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'node_id',
    });
  });

  it('streams the rows of a query', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => [i, 'y'.repeat(1000), null, [1, 2]]);
    backend.result = {
      columns: [
        { name: 'i', type: 'UInt32' },
        { name: 't', type: 'String' },
        { name: 'n', type: 'Nullable(Int8)' },
        { name: 'a', type: 'Array(Int8)' },
      ],
      rows,
      truncated: true,
    };
    expect(await collectQuery(admin.query({ sql: 'SELECT 1' }))).toEqual(backend.result);
    expect(backend.queries).toEqual([{ sql: 'SELECT 1', maxRows: 10_000 }]);
    backend.result = { columns: [{ name: 'i', type: 'UInt32' }], rows: [], truncated: false };
    expect(await collectQuery(admin.query({ sql: 'SELECT 1', maxRows: 5 }))).toEqual(backend.result);
    await expect(collectQuery(admin.query({ sql: 'DROP TABLE x' }))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'Only reading is allowed.',
    });
    await expect(collectQuery(admin.query({ sql: ' ' }))).rejects.toMatchObject({ code: 'invalid_argument', field: 'sql' });
    await expect(collectQuery(admin.query({ sql: 'SELECT 1', maxRows: 100_001 }))).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'max_rows',
    });
  });
});
