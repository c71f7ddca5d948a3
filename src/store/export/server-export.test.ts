import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeRows } from '../../records/encode.ts';
import { stepRow, trajectoryRow } from '../fixtures.ts';
import { TOKEN } from '../http/testing.ts';
import { openServerStore } from '../server.ts';
import type { Store } from '../store.ts';
import { exportLines } from './export.ts';
import type { ExportChunk, ExportRequest } from './export.ts';
import { exportFile } from './file.ts';
import { ExportFiles } from './files.ts';
import { importLines } from './import.ts';

/*
 * Exports of a store on a server (CLICKHOUSE_URL): of the embedded engine's own HTTP port, in a process of its own, with the right
 * to write.
 */
const folder = mkdtempSync(join(tmpdir(), 'millrace-server-export-'));
const files = new ExportFiles(join(folder, 'exports'));
const COUNT = 3000;
let child: ChildProcess;
let store: Store;

beforeAll(async () => {
  child = fork(fileURLToPath(new URL('../http/testing-main.ts', import.meta.url)), [], { execArgv: ['--import', 'tsx'] });
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  store = await openServerStore({ url, username: 'writer', password: TOKEN, database: 'exported' });
  await store.migrate();
  const ids = Array.from({ length: COUNT }, (_, n) => `big:${n}:t:0:0`);
  const rows = ids.map((trajectory_id, n) =>
    trajectoryRow({ job: 'big', trajectory_id, answer: `ü ${n}`, success: n % 3 === 0 }),
  );
  await store.insert('trajectories', encodeRows('trajectories', rows), 't');
  const steps = ids.map((trajectory_id) => stepRow({ job: 'big', trajectory_id, state_flags: Float32Array.of(0.5, NaN) }));
  await store.insert('steps', encodeRows('steps', steps), 's');
}, 120_000);
afterAll(async () => {
  files.close();
  await store?.close();
  child.disconnect();
  await once(child, 'exit');
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const request = (format: 'jsonl' | 'parquet', more: Partial<ExportRequest> = {}): ExportRequest => ({
  format,
  steps: false,
  filter: { job: 'big' },
  ...more,
});

async function read(chunks: AsyncIterable<ExportChunk>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const { data } of chunks) parts.push(data);
  return Buffer.concat(parts);
}

const exports = (): string[] => (existsSync(join(folder, 'exports')) ? readdirSync(join(folder, 'exports')) : []);

it('gives every trajectory once as lines, which import as the same rows', async () => {
  const lines = (await read(exportLines(store, request('jsonl')))).toString().trimEnd().split('\n');
  const interactions = lines.map(
    (line) => JSON.parse(line) as { response: string; metadata: { steps: { state_flags: unknown }[] } },
  );
  expect(interactions.map(({ response }) => response)).toEqual(Array.from({ length: COUNT }, (_, n) => `ü ${n}`));
  expect(interactions[7]!.metadata.steps).toMatchObject([{ state_flags: [0.5, 'nan'] }]);
  expect(await importLines(store, lines.slice(0, 100), { job: 'copy' })).toEqual({ trajectories: 100, steps: 100 });
  const copy = await read(exportLines(store, request('jsonl', { filter: { job: 'copy' } })));
  expect(copy.toString().replaceAll('"job":"copy"', '"job":"big"')).toBe(`${lines.slice(0, 100).join('\n')}\n`);
});

it('gives Parquet byte for byte, which goes on after a cursor', async () => {
  const asked = request('parquet', { chunkBytes: 16_384 });
  const chunks: ExportChunk[] = [];
  for await (const chunk of exportFile(store, files, asked)) chunks.push(chunk);
  const whole = Buffer.concat(chunks.map(({ data }) => data));
  expect([whole.subarray(0, 4), whole.subarray(-4)].map(String)).toEqual(['PAR1', 'PAR1']);
  expect(chunks.at(-1)).toMatchObject({ done: whole.length, total: whole.length });
  const rest = await read(exportFile(store, files, { ...asked, cursor: chunks[0]!.cursor }));
  expect(Buffer.concat([chunks[0]!.data, rest]).equals(whole)).toBe(true);
});

it('says what is wrong with a condition, in either format, and leaves no file', async () => {
  const before = exports();
  const wrong = { filter: { job: 'big', where: 'nope = 1' } };
  for (const chunks of [exportLines(store, request('jsonl', wrong)), exportFile(store, files, request('parquet', wrong))])
    await expect(read(chunks)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('nope') as string,
    });
  expect(exports()).toEqual(before);
});

/** Takes minutes; sleepEachRow() is refused where a block has many rows. */
const LONG = '(SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1) = 0';

it('ends the query on the server when the reader of a Parquet file is gone', async () => {
  const before = exports();
  const cancel = new AbortController();
  const slow = request('parquet', { filter: { job: 'big', where: LONG }, signal: cancel.signal });
  const ended = expect(read(exportFile(store, files, slow))).rejects.toMatchObject({ code: 'cancelled' });
  const running = async (): Promise<unknown> =>
    (
      await store.query(
        `SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%system.processes%'`,
      )
    ).rows[0]![0];
  await expect.poll(running).toBe(1);
  cancel.abort();
  await ended;
  await expect.poll(running).toBe(0);
  expect(exports()).toEqual(before);
});
