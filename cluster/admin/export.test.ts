import { systemClock } from '../../src/clock/system.ts';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdminService, ExportFormat } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient } from '../../src/rpc/client.ts';
import type { ServiceClient } from '../../src/rpc/client.ts';
import { startServer } from '../../src/rpc/server.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { stepRow, trajectoryRow } from '../../src/store/fixtures.ts';
import type { QueryOptions, Store } from '../../src/store/store.ts';
import type { NodeList } from '../runtime/nodes.ts';
import { storeService } from '../store/service.ts';
import { remoteTransfer } from './remote-store.ts';
import { StoreTransfer } from './export.ts';
import { MemoryBackend } from './memory-backend.ts';
import { adminService } from './service.ts';

const COUNT = 5000;

/** Admin API, store node and engine, each as in a cluster, over real gRPC. */
describe('ExportTrajectories', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-export-rpc-'));
  let store: Store;
  let queries: string[] = [];
  const servers: RunningServer[] = [];
  let transfer: StoreTransfer;
  let admin: ServiceClient<typeof AdminService>;
  let expected = '';

  beforeAll(async () => {
    const engine = await openEmbeddedStore({ path: join(folder, 'clickhouse') });
    await engine.migrate();
    store = {
      migrate: () => engine.migrate(),
      insert: (...rows) => engine.insert(...rows),
      query: (sql: string, options?: QueryOptions) => (queries.push(sql), engine.query(sql, options)),
      writeFile: (...file) => engine.writeFile(...file),
      close: () => engine.close(),
    };
    const id = (n: number): string => `big:${n}:t:0:0`;
    const all = Array.from({ length: COUNT }, (_, n) =>
      trajectoryRow({ job: 'big', trajectory_id: id(n), answer: `"${n} ${'x'.repeat(900)}"` }),
    );
    await engine.insert('trajectories', encodeRows('trajectories', all), 't');
    await engine.insert(
      'steps',
      encodeRows(
        'steps',
        all.map(({ trajectory_id }) => stepRow({ job: 'big', trajectory_id })),
      ),
      's',
    );
    transfer = new StoreTransfer(store, join(folder, 'exports'));
    const notAsked = (): Promise<never> => Promise.reject(new Error('not asked here'));
    servers.push(await startServer({ services: [storeService(notAsked, transfer, { clock: systemClock })], token: 'secret' }));
    const nodes = { withRole: () => [{ address: servers[0]!.address }] } as unknown as NodeList;
    const backend = new MemoryBackend();
    backend.transfer = remoteTransfer(nodes, { token: 'secret' });
    servers.push(await startServer({ services: [adminService(backend)] }));
    admin = createClient(AdminService, servers[1]!.address);
    for await (const { data } of admin.exportTrajectories({ filter: { job: 'big' } })) expected += Buffer.from(data).toString();
  }, 60_000);
  afterAll(async () => {
    admin.close();
    for (const server of servers.reverse()) await server.stop(500);
    transfer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('sends every trajectory once, in the order of rounds', () => {
    const rounds = expected
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { metadata: { trajectory_id: string } }).metadata.trajectory_id);
    expect(rounds).toEqual(Array.from({ length: COUNT }, (_, n) => `big:${n}:t:0:0`));
  });

  it('goes on after a stream that was cut, with no line lost and none twice', async () => {
    let text = '';
    let cursor = '';
    let cuts = 0;
    for (let over = false; !over; cuts += 1) {
      let chunks = 0;
      over = true;
      // The caller vanishes in the middle of the stream, every few chunks.
      for await (const chunk of admin.exportTrajectories({ filter: { job: 'big' }, cursor, chunkBytes: 32_768 })) {
        text += Buffer.from(chunk.data).toString();
        cursor = chunk.cursor;
        expect(chunk.total).toBe(BigInt(COUNT));
        if ((chunks += 1) === 15) {
          over = false;
          break;
        }
      }
    }
    expect(cuts).toBeGreaterThan(5);
    expect(text).toBe(expected);
  });

  it('reads no further than a slow reader does, and nothing once it is gone', async () => {
    queries = [];
    const cancel = new AbortController();
    const stream = admin
      .exportTrajectories({ filter: { job: 'big' }, chunkBytes: 4096 }, { signal: cancel.signal })
      [Symbol.asyncIterator]();
    await stream.next();
    // What fills the buffers between the two ends is far less than there is.
    let before = -1;
    await expect.poll(() => before === (before = queries.length), { interval: 500, timeout: 20_000 }).toBe(true);
    expect(before).toBeGreaterThan(2);
    expect(before).toBeLessThan(2 * (COUNT / 1000));
    cancel.abort();
    const drain = async (): Promise<void> => {
      while (!(await stream.next()).done);
    };
    await expect(drain()).rejects.toMatchObject({ code: 'cancelled' });
    await expect.poll(() => transfer.open).toBe(0);
    expect(queries.length).toBe(before);
  });

  it('sends one Parquet file, which goes on where it was cut and is removed when the store stops', async () => {
    const request = { format: ExportFormat.PARQUET, filter: { job: 'big' }, chunkBytes: 4096 };
    const parts: Uint8Array[] = [];
    let cursor = '';
    for await (const chunk of admin.exportTrajectories(request)) {
      parts.push(chunk.data);
      cursor = chunk.cursor;
      if (parts.length === 2) break;
    }
    let total = 0n;
    for await (const chunk of admin.exportTrajectories({ ...request, cursor })) {
      parts.push(chunk.data);
      total = chunk.total;
    }
    const whole = Buffer.concat(parts);
    expect(BigInt(whole.length)).toBe(total);
    expect([whole.subarray(0, 4).toString(), whole.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
    expect(readdirSync(join(folder, 'exports'))).toHaveLength(1);
    transfer.close();
    expect(readdirSync(join(folder, 'exports'))).toEqual([]);
  });

  it('says what is wrong with a request, before anything runs', async () => {
    const failure = async (request: Parameters<typeof admin.exportTrajectories>[0]): Promise<unknown> => {
      try {
        for await (const _ of admin.exportTrajectories(request)) void _;
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(await failure({ filter: { where: '1) OR (1' } })).toMatchObject({ code: 'invalid_argument', field: 'where' });
    expect(await failure({ filter: { job: 'No job' } })).toMatchObject({ code: 'invalid_argument', field: 'job_id' });
    expect(await failure({ chunkBytes: 5 })).toMatchObject({ code: 'invalid_argument', field: 'chunk_bytes' });
    expect(await failure({ cursor: 'x' })).toMatchObject({ code: 'invalid_argument', field: 'cursor' });
  });

  it('imports what it exported, under another name', async () => {
    const lines = expected.trimEnd().split('\n');
    for (let at = 0; at < COUNT; at += 1000) {
      const some = { lines: lines.slice(at, at + 1000), job: 'copy' };
      expect(await admin.importTrajectories(some)).toMatchObject({ trajectories: 1000, steps: 1000 });
    }
    let copy = '';
    for await (const { data } of admin.exportTrajectories({ filter: { job: 'copy' } })) copy += Buffer.from(data).toString();
    expect(copy.replaceAll('"job":"copy"', '"job":"big"')).toBe(expected);
    await expect(admin.importTrajectories({ lines: ['{}'] })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/^line 1: timestamp: is missing/) as string,
    });
    await expect(admin.importTrajectories({ lines: Array.from({ length: 5001 }, () => '') })).rejects.toMatchObject({
      field: 'lines',
    });
  });
});
