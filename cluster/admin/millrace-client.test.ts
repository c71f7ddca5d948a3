import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from './memory-backend.ts';
import { adminService } from './service.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { readBundle } from '../../src/flow/bundle/unpack.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { createClient, isEnded, MillraceError, stateOf, type Job, type MillraceClient } from '../../src/client/index.ts';

const TOKEN = 'a token of the test';
const EXAMPLE = new URL('../../docs/shortest-flow/flow.ts', import.meta.url);
const config = { name: 'parcels', rounds: 2, rollout: { groupSize: 4 } };

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

describe('millrace/client', () => {
  let backend: MemoryBackend;
  let server: RunningServer;
  let client: MillraceClient;
  let folder: string;

  beforeEach(async () => {
    backend = new MemoryBackend();
    server = await startServer({ services: [{ ...adminService(backend), token: TOKEN }] });
    client = createClient({ endpoint: server.address, token: TOKEN, patienceMs: 2_000 });
    folder = mkdtempSync(join(tmpdir(), 'client-test-'));
  });
  afterEach(async () => {
    client.close();
    await server.stop(100);
    rmSync(folder, { recursive: true, force: true });
  });

  it('uploads the flow with its data, once, and creates jobs of it', async () => {
    const flow = join(folder, 'flow.ts');
    cpSync(EXAMPLE, flow);
    writeFileSync(join(folder, 'tasks.jsonl'), 'x'.repeat(700_000));
    const job = await client.jobs.create({
      config: { ...config, data: join(folder, 'tasks.jsonl') },
      flow,
      owner: 'ana',
      priority: 3,
    });
    expect(job).toMatchObject({ owner: 'ana', priority: 3, state: JobState.QUEUED });
    const { bundle } = backend.created[0]!;
    const { files, data } = await readBundle(bundle!, backend.artifacts);
    expect(data).toBe('data/tasks.jsonl');
    for (const digest of Object.values(files)) expect(await backend.artifacts.has(digest)).toBe(true);
    expect(JSON.parse(job.configJson)).toMatchObject({ name: 'parcels', flow, rollout: { groupSize: 4 } });
    let uploads = 0;
    const { uploads: taken } = backend;
    backend.uploads = {
      ...taken,
      upload: (requests) => {
        uploads += 1;
        return taken.upload(requests);
      },
    };
    const uploaded = await client.uploadFlow({ flow, data: join(folder, 'tasks.jsonl') });
    expect(uploaded).toEqual({ bundle });
    expect(uploads).toBe(0);
    rmSync(folder, { recursive: true });
    await client.jobs.create({ config, flow: uploaded, id: 'second' });
    expect(backend.created[1]).toMatchObject({ bundle });
    // What was damaged on the way to the disk comes again.
    backend.artifacts.damage(Object.values(files)[0]!);
    await expect(client.admin.findMissingArtifacts({ digests: Object.values(files) })).resolves.toMatchObject({
      missing: [Object.values(files)[0]],
    });
  });

  it('gives one job for one request id, and names the field of what is wrong', async () => {
    const flow = { bundle: 'a'.repeat(64) };
    const requestId = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    const first = await client.jobs.create({ config, flow, requestId });
    expect((await client.jobs.create({ config, flow, requestId })).id).toBe(first.id);
    expect((await client.jobs.create({ config, flow })).id).not.toBe(first.id);
    const wrong = client.jobs.create({ config: { ...config, rollout: { groupSize: 1 } }, flow });
    await expect(wrong).rejects.toMatchObject({ name: 'MillraceError', code: 'invalid_argument', field: 'rollout.groupSize' });
    await expect(client.jobs.create({ config, flow: join(folder, 'none.ts') })).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.jobs.get('nobody')).rejects.toMatchObject({ code: 'not_found', field: 'job_id' });
    expect(() => createClient({ endpoint: 'nowhere' })).toThrow(expect.objectContaining({ field: 'address' }));
    const stranger = createClient({ endpoint: server.address, token: 'another' });
    await expect(stranger.jobs.get('a')).rejects.toMatchObject({ code: 'unauthenticated' });
    stranger.close();
  });

  it('refuses uploads that are not what they say', async () => {
    const send = (...parts: object[]): Promise<unknown> =>
      client.admin.uploadArtifacts(
        (async function* () {
          for (const part of parts) yield { part } as never;
        })(),
      );
    const header = (size: number, digest = 'b'.repeat(64)): object => ({ case: 'header', value: { digest, size: BigInt(size) } });
    const data = (length: number): object => ({ case: 'data', value: new Uint8Array(length) });
    const refused = async (call: Promise<unknown>, field: string): Promise<void> => {
      await expect(call).rejects.toMatchObject({ code: 'invalid_argument', field });
    };
    await refused(send(data(3)), 'part');
    await refused(send(header(3, '../../etc/passwd')), 'digest');
    await refused(send(header(3), data(3)), 'digest');
    await refused(send(header(3), data(2)), 'size');
    await refused(send(header(3), data(4)), 'size');
    await refused(send(header(3), header(3)), 'size');
    await refused(send(header(2 ** 31)), 'size');
    await refused(send(header(2_000_000), data(1_500_000)), 'data');
    expect(await all(backend.artifacts.list())).toEqual([]);
    await expect(send()).resolves.toMatchObject({ stored: 0 });
    const broken = (async function* () {
      yield { part: header(3) } as never;
      throw new Error('the disk is gone');
    })();
    await expect(client.admin.uploadArtifacts(broken)).rejects.toThrow('the disk is gone');
  });

  it('lists all pages, watches over a restart of the server, and leaves on a signal', async () => {
    for (let i = 0; i < 5; i += 1) await backend.createJob(`job-${i}`, config as never);
    const ids: string[] = [];
    for await (const { id } of client.jobs.list({ orderBy: 'id', fields: ['id'] })) ids.push(id);
    expect(ids).toEqual(['job-0', 'job-1', 'job-2', 'job-3', 'job-4']);
    expect((await client.jobs.page({ pageSize: 2 })).jobs).toHaveLength(2);

    const states: string[] = [];
    for await (const job of client.jobs.watch('job-1', { fields: ['id'] })) {
      states.push(stateOf(job));
      if (states.length > 1) continue;
      await server.stop(0);
      await backend.change('job-1', (one: Job) => (one.state = JobState.SUCCEEDED));
      server = await startServer({ services: [{ ...adminService(backend), token: TOKEN }], port: server.port });
    }
    expect(states).toEqual(['queued', 'succeeded']);
    expect(isEnded(await client.jobs.wait('job-1'))).toBe(true);

    const leaving = new AbortController();
    const watch = client.jobs.watchAll({ filter: 'id=job-2', signal: leaving.signal });
    expect((await watch.next()).value).toMatchObject({ job: { id: 'job-2' }, left: false });
    const next = watch.next();
    leaving.abort();
    await expect(next).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('pauses, resumes, cancels, asks for evaluations and rows, and exports', async () => {
    await backend.createJob('a', config as never);
    expect(stateOf(await client.jobs.pause('a'))).toBe('paused');
    expect(stateOf(await client.jobs.resume('a'))).toBe('running');
    expect(stateOf(await client.jobs.cancel('a'))).toBe('cancelled');
    expect(await client.jobs.evaluations('a')).toEqual([]);
    backend.result = { columns: [{ name: 'n', type: 'UInt8' }], rows: [[1], [2]], truncated: false };
    expect(await client.query('SELECT 1')).toEqual(backend.result);
    const lines = Buffer.from('{"id":"é"}\n{"id":2}\n');
    const cursors: string[] = [];
    backend.transfer = {
      async *exportTrajectories({ cursor }) {
        cursors.push(cursor);
        const from = cursor === '' ? 0 : Number(cursor);
        // It breaks in the middle of a character.
        const to = from === 0 ? 8 : lines.length;
        yield { data: lines.subarray(from, to), cursor: String(to), done: 0n, total: 2n };
        if (from === 0) throw new MillraceError('unavailable', 'The store is restarted.');
      },
      importTrajectories: () => Promise.reject(new Error('not asked')),
    };
    expect(await all(client.exportTrajectories())).toEqual([{ id: 'é' }, { id: 2 }]);
    expect(cursors).toEqual(['', '8']);
  });
});
