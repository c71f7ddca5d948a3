import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobConfigSchema } from '../../../src/config/job.ts';
import { NodeSchema } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { startServer, type RunningServer } from '../../../src/rpc/server.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { MemoryBackend } from '../../admin/memory-backend.ts';
import { adminService } from '../../admin/service.ts';
import { TEST_CLIENTS } from '../clients.fixture.ts';
import { startGateway, type RunningGateway } from '../server.ts';
import type { Changes } from '../workbench/feed.ts';
import { clusterFeeds } from '../workbench/feeds.ts';
import { adminMethods } from './admin.ts';
import { coordinatorClient, type Coordinator } from './coordinator.ts';
import { queryMethods } from './query.ts';
import { jsonRpcRoute } from './route.ts';

const config = jobConfigSchema.parse({ name: 'sums', flow: '/flows/sums.ts' });

interface Answer {
  result?: unknown;
  error?: { code: number; message: string; data: { code: string; field?: string } };
}

let backend: MemoryBackend;
let server: RunningServer;
let coordinator: Coordinator;
let gateway: RunningGateway;

beforeEach(async () => {
  backend = new MemoryBackend();
  server = await startServer({ services: [{ ...adminService(backend), token: 'admin' }] });
  coordinator = coordinatorClient(() => Promise.resolve([server.address]), { token: 'admin' });
  const log = silentLogger();
  gateway = await startGateway({
    routes: [jsonRpcRoute({ ...adminMethods(coordinator), ...queryMethods(coordinator) }, log)],
    ...{ authenticator: TEST_CLIENTS, log },
  });
  await backend.createJob('sums-1', config, { owner: 'ann' });
});
afterEach(async () => {
  await gateway.stop(0);
  coordinator.close();
  await server.stop(0);
});

async function call(method: string, params: object, token = 'reader'): Promise<Answer> {
  const response = await fetch(`${gateway.url}/rpc`, {
    method: 'POST',
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    headers: { authorization: `Bearer ${token}` },
  });
  return (await response.json()) as Answer;
}

describe('admin.*', () => {
  it('takes and gives the messages of the admin API as JSON', async () => {
    const listed = await call('admin.ListJobs', { filter: 'owner="ann"', readMask: 'id,state,owner' });
    expect(listed.result).toEqual({ jobs: [{ id: 'sums-1', state: 'JOB_STATE_QUEUED', owner: 'ann' }] });
    expect((await call('admin.GetJob', { jobId: 'nobody' })).error).toMatchObject({ data: { code: 'not_found' } });
  });

  it('changes something for scope train alone', async () => {
    expect((await call('admin.PauseJob', { jobId: 'sums-1' })).error?.data.code).toBe('permission_denied');
    expect((await call('admin.PauseJob', { jobId: 'sums-1' }, 'writer')).result).toMatchObject({
      job: { state: 'JOB_STATE_PAUSED' },
    });
  });

  it('refuses params that are no such message, and methods that are not for pages', async () => {
    for (const params of [{ jobID: 'sums-1' }, { jobId: 7 }, { jobId: 'sums-1', readMask: { paths: 3 } }])
      expect((await call('admin.GetJob', params)).error?.data, JSON.stringify(params)).toMatchObject({
        code: 'invalid_argument',
        field: 'params',
      });
    for (const method of [
      'admin.PruneStore',
      'admin.CreateJoinToken',
      'admin.UploadArtifacts',
      'admin.WatchJobs',
      'admin.toString',
    ])
      expect((await call(method, {}, 'writer')).error?.code, method).toBe(-32601);
  });
});

describe('query.*', () => {
  beforeEach(() => {
    backend.result = { columns: [{ name: 'n', type: 'UInt8' }], rows: [[1], [2]], truncated: true };
  });

  it('gives the columns and rows of a statement that reads', async () => {
    const { result } = await call('query.sql', { sql: 'SELECT n', max_rows: 2 });
    expect(result).toEqual({ columns: [{ name: 'n', type: 'UInt8' }], rows: [[1], [2]], truncated: true });
    expect(backend.queries.at(-1)).toEqual({ sql: 'SELECT n', maxRows: 2 });
    expect((await call('query.sql', { sql: 'DROP TABLE steps' })).error?.data.code).toBe('invalid_argument');
  });

  it('runs a named query of a job, and says which statement that was', async () => {
    const { result } = await call('query.run', { name: 'tasks', job_id: 'sums-1', parameters: { limit: '3' } });
    expect((result as { sql: string }).sql).toBe(backend.queries.at(-1)!.sql);
    expect(backend.queries.at(-1)!.sql).toContain("'sums-1'");
    const wrong = [
      { name: 'nothing', job_id: 'a' },
      { name: 'tasks', job_id: "a'; --" },
      { name: 'tasks', job_id: 'a', parameters: { limit: 'x' } },
    ];
    const fields = await Promise.all(wrong.map(async (params) => (await call('query.run', params)).error?.data.field));
    expect(fields).toEqual(['name', 'job_id', 'limit']);
  });

  it('lists the named queries with their statements', async () => {
    const { result } = await call('query.list', {});
    expect(result).toContainEqual(expect.objectContaining({ name: 'tasks', sql: expect.stringContaining('{job:String}') }));
  });
});

describe('the feeds of a cluster', () => {
  it('have every job and node in its newest state, while somebody follows them', async () => {
    backend.nodes.push(create(NodeSchema, { id: 'rollout-1', roles: ['rollout'] }));
    const feeds = clusterFeeds(coordinator);
    const [jobs, nodes] = [feeds['jobs']!.open(), feeds['nodes']!.open()];
    const seen = (feed: { since(cursor: string): Changes | undefined }): unknown => feed.since('')?.items;
    await expect.poll(() => seen(jobs.feed)).toMatchObject([{ id: 'sums-1', state: 'JOB_STATE_QUEUED' }]);
    expect(JSON.stringify(seen(jobs.feed))).not.toContain('configJson');
    await expect.poll(() => seen(nodes.feed)).toMatchObject([{ id: 'rollout-1' }]);
    await backend.change('sums-1', (job) => (job.owner = 'bob'));
    await expect.poll(() => seen(jobs.feed)).toMatchObject([{ owner: 'bob' }]);
    expect(feeds['jobs']!.open().feed).toBe(jobs.feed);
    nodes.release();
    expect(feeds['nodes']!.open().feed).not.toBe(nodes.feed);
  });

  it('go on when the coordinator has gone and comes back', async () => {
    const { feed } = clusterFeeds(coordinator)['jobs']!.open();
    await expect.poll(() => feed.keys()).toEqual(['sums-1']);
    const { port } = server;
    await server.stop(0);
    server = await startServer({ port, services: [{ ...adminService(backend), token: 'admin' }] });
    await backend.createJob('sums-2', config);
    await expect.poll(() => feed.keys()).toEqual(['sums-1', 'sums-2']);
  });
});
