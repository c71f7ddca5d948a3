import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminService, JobProgressSchema, JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient } from '../../src/rpc/client.ts';
import type { ServiceClient } from '../../src/rpc/client.ts';
import { startServer } from '../../src/rpc/server.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { MemoryBackend } from './memory-backend.ts';
import { adminService } from './service.ts';

const CONFIG = JSON.stringify({ name: 'retail', flow: '/flows/retail.ts' });
const ID = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';

describe('jobs of the admin service', () => {
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

  it('filters and orders lists, and holds the tokens of their pages apart', async () => {
    for (const [jobId, owner, priority] of [
      ['a', 'ana', 1],
      ['b', 'bo', 3],
      ['c', 'ana', 2],
      ['d', 'ana', 2],
    ] as const)
      await admin.createJob({ jobId, owner, priority, configJson: CONFIG });
    const list = { filter: 'owner=ana', orderBy: 'priority desc' };
    const first = await admin.listJobs({ ...list, pageSize: 2 });
    expect(first.jobs.map(({ id }) => id)).toEqual(['d', 'c']);
    const second = await admin.listJobs({ ...list, pageSize: 2, pageToken: first.nextPageToken });
    expect(second.jobs.map(({ id }) => id)).toEqual(['a']);
    await expect(admin.listJobs({ pageToken: first.nextPageToken })).rejects.toMatchObject({
      field: 'page_token',
      message: expect.stringMatching(/another filter or order_by/) as string,
    });
    await expect(admin.listJobs({ filter: 'colour=red' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'filter' });
    await expect(admin.listJobs({ orderBy: 'colour' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'order_by' });
  });

  it('answers with the fields of a mask', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    await backend.change('a', (job) => (job.progress = create(JobProgressSchema, { round: 3, roundsTotal: 9 })));
    const { job } = await admin.getJob({ jobId: 'a', readMask: { paths: ['id', 'progress.round'] } });
    expect(job).toMatchObject({ id: 'a', configJson: '', state: JobState.UNSPECIFIED });
    expect(job?.progress).toMatchObject({ round: 3, roundsTotal: 0 });
    const [listed] = (await admin.listJobs({ readMask: { paths: ['progress.round', 'progress', 'state'] } })).jobs;
    expect(listed).toMatchObject({ id: '', state: JobState.QUEUED, progress: { round: 3, roundsTotal: 9 } });
    for (const path of ['colour', 'progress.colour', 'id.x', '', 'evaluations.name'])
      await expect(admin.getJob({ jobId: 'a', readMask: { paths: [path] } })).rejects.toMatchObject({ field: 'read_mask' });
  });

  it('creates one job for one request id', async () => {
    const request = { configJson: CONFIG, requestId: ID };
    const { job } = await admin.createJob(request);
    expect(job?.id).toMatch(/^retail-[0-9a-f]{10}$/);
    expect((await admin.createJob({ ...request, requestId: ID.toUpperCase() })).job?.id).toBe(job?.id);
    expect(backend.jobs.size).toBe(1);
    for (const other of [{ priority: 5 }, { jobId: 'other' }, { owner: 'bo' }])
      await expect(admin.createJob({ ...request, ...other })).rejects.toMatchObject({
        code: 'already_exists',
        field: 'request_id',
        message: expect.stringContaining(job!.id) as string,
      });
    await expect(admin.createJob({ ...request, requestId: '7' })).rejects.toMatchObject({
      code: 'invalid_argument',
      field: 'request_id',
    });
    // Somebody else's job under the id that was asked for is no answer.
    await admin.createJob({ jobId: 'taken', configJson: CONFIG });
    const second = { jobId: 'taken', configJson: CONFIG, requestId: ID.replace('0', '1') };
    await expect(admin.createJob(second)).rejects.toMatchObject({ code: 'already_exists', field: 'job_id' });
  });

  it('gives the job of the same request that another coordinator was faster with', async () => {
    const find = backend.findRequest.bind(backend);
    let asked = 0;
    backend.findRequest = async (requestId) => ((asked += 1) === 1 ? undefined : find(requestId));
    await backend.createJob('mine', JSON.parse(CONFIG) as never, { request: { id: ID, digest: 'other' } });
    await expect(admin.createJob({ jobId: 'mine', configJson: CONFIG, requestId: ID })).rejects.toMatchObject({
      field: 'request_id',
    });
    expect(asked).toBe(2);
  });

  it('goes on with a watch after the answer that a client has seen', async () => {
    await admin.createJob({ jobId: 'a', configJson: CONFIG });
    const readMask = { paths: ['state'] };
    let resumeToken = '';
    for await (const answer of admin.watchJob({ jobId: 'a', readMask })) {
      resumeToken = answer.resumeToken;
      break;
    }
    const resumed = admin.watchJob({ jobId: 'a', readMask, resumeToken })[Symbol.asyncIterator]();
    const next = resumed.next();
    await expect.poll(() => backend.watchers).toBeGreaterThan(0);
    await backend.change('a', (job) => (job.waitingFor = 'not in the mask'));
    await backend.change('a', (job) => (job.state = JobState.RUNNING));
    expect((await next).value?.job?.state).toBe(JobState.RUNNING);
    await resumed.return?.();
    const wrong = admin.watchJob({ jobId: 'a', resumeToken: 'x' })[Symbol.asyncIterator]();
    await expect(wrong.next()).rejects.toMatchObject({ code: 'invalid_argument', field: 'resume_token' });
  });

  it('watches all jobs that a filter takes', async () => {
    await admin.createJob({ jobId: 'a', owner: 'ana', configJson: CONFIG });
    await admin.createJob({ jobId: 'b', owner: 'bo', configJson: CONFIG });
    const seen: string[] = [];
    let resumeToken = '';
    for await (const { job, left, resumeToken: token } of admin.watchJobs({ filter: 'state=QUEUED AND owner=ana' })) {
      seen.push(`${job!.id} ${JobState[job!.state]}${left ? ' left' : ''}`);
      resumeToken = token;
      if (seen.length === 1) {
        await admin.createJob({ jobId: 'c', owner: 'ana', configJson: CONFIG });
        await backend.change('a', (j) => (j.state = JobState.RUNNING));
      }
      if (left && job!.id === 'a') break;
    }
    expect(seen.filter((line) => !line.startsWith('b'))).toEqual(['a QUEUED', 'c QUEUED', 'a RUNNING left']);
    await backend.change('c', (j) => (j.waitingFor = 'news'));
    for await (const { job } of admin.watchJobs({ filter: 'owner=ana', resumeToken })) {
      expect(job?.id).toBe('c');
      break;
    }
    const wrong = admin.watchJobs({ filter: '=' })[Symbol.asyncIterator]();
    await expect(wrong.next()).rejects.toMatchObject({ code: 'invalid_argument', field: 'filter' });
  });
});
