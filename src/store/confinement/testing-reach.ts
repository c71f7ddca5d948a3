/** Run by confine.test.ts, confined and not: uses the store as a store node does, then says what else it can reach. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { ClickHouseStore } from '../clickhouse-store.ts';
import { EmbeddedEngine } from '../embedded.ts';
import { encodeRows } from '../../records/encode.ts';
import { literal } from '../engine.ts';
import { ExportFiles } from '../export/files.ts';
import { stepRow } from '../fixtures.ts';
import { joinRows, packRows } from '../../records/pack.ts';

const [stateDir, secret, parent] = process.argv.slice(2) as [string, string, string];

const reached: Record<string, string> = {};
async function attempt(name: string, work: () => unknown): Promise<void> {
  try {
    await work();
    reached[name] = 'reached';
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    reached[name] = /EACCES|Permission denied/i.test(`${code} ${message}`) ? 'denied' : `${code} ${message}`;
  }
}

const engine = await EmbeddedEngine.open(join(stateDir, 'clickhouse'), 1024 ** 3);
const store = new ClickHouseStore(engine, { threads: 1 });
await store.migrate();
const rows = Array.from({ length: 5000 }, (_, step) => stepRow({ step }));
for (const half of [rows.slice(0, 2500), rows.slice(2500)]) {
  await store.insert('steps', joinRows([packRows(encodeRows('steps', half))]), `token-${half[0]!.step}`);
}
await engine.run('OPTIMIZE TABLE steps FINAL');
await engine.run('CREATE TABLE moved (n UInt8) ENGINE = MergeTree ORDER BY n');
await engine.run('INSERT INTO moved SELECT 1');
// What moves files from one folder to another.
await engine.run('ALTER TABLE moved DETACH PARTITION ALL');
await engine.run('RENAME TABLE moved TO renamed');
await engine.run('DROP TABLE renamed SYNC');
const files = new ExportFiles(join(stateDir, 'exports'));
await store.writeFile('SELECT * FROM steps', files.pathOf(files.create()), { format: 'Parquet' });
const exported = readdirSync(join(stateDir, 'exports')).length;
files.close();
const { rows: counted } = await store.query('SELECT count() FROM steps');

const read = (path: string): string => `SELECT * FROM file(${literal(path)}, 'LineAsString')`;
await attempt('engine reads', () => engine.run(read(secret)));
await attempt('engine reads in a query session', () => engine.run(read(secret), { reading: true }));
await attempt('engine writes', () =>
  engine.run(`SELECT 1 INTO OUTFILE ${literal(join(tmpdir(), `millrace-reach-${process.pid}`))} FORMAT CSV`),
);
await attempt('engine reads credentials', () => engine.run(read(join(stateDir, 'admin.json'))));
await attempt('main thread reads', () => readFileSync(secret));
await attempt('thread of the pool reads', () => readFile(secret));
await attempt('worker thread reads', async () => {
  const code = `require('node:fs').readFileSync(${JSON.stringify(secret)})`;
  const worker = new Worker(code, { eval: true });
  await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
});
await attempt('writes', () => writeFileSync(join(tmpdir(), `millrace-reach-${process.pid}`), ''));
await attempt('reads its environment', () => readFileSync('/proc/self/environ'));
await attempt('reads the environment of others', () => readFileSync(`/proc/${parent}/environ`));
await attempt('lists /', () => readdirSync('/'));
await attempt('runs a shell', () => {
  const { error } = spawnSync('/bin/sh', ['-c', 'true']);
  if (error) throw error;
});
process.stdout.write(`${JSON.stringify({ rows: Number(counted[0]![0]), exported, reached })}\n`);
await store.close();
