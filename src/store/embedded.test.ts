import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ClickHouseStore } from './clickhouse-store.ts';
import { EmbeddedEngine, openEmbeddedStore } from './embedded.ts';
import { encodeRows } from '../records/encode.ts';
import { stepRow, updateRow } from './fixtures.ts';
import { isPacked, joinRows, packRows } from '../records/pack.ts';
import { TABLES, TABLE_NAMES } from '../records/tables.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const path = mkdtempSync(join(tmpdir(), 'millrace-embedded-'));
const moduleUrl = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);

let engine: EmbeddedEngine;
let store: ClickHouseStore;
const open = async (): Promise<void> => {
  engine = await EmbeddedEngine.open(path, 1024 * MIB);
  store = new ClickHouseStore(engine, { threads: 1 });
  await store.migrate();
};
const one = async (sql: string): Promise<unknown> => (await store.query(sql)).rows[0]?.[0];

beforeAll(open);
afterAll(async () => {
  await store.close();
  rmSync(path, { recursive: true, force: true });
});
beforeEach(async () => {
  for (const table of TABLE_NAMES) await engine.run(`TRUNCATE TABLE ${table}`);
});

describe('traps of the embedded engine', () => {
  it('an answer holds nothing of a failed statement before it', async () => {
    const sql = (n: number): string => `SELECT number AS secret, toString(number) AS other FROM numbers(${n})`;
    let [failed, cancelled] = [0, 0];
    for (let i = 0; i < 60; i += 1) {
      const stop = new AbortController();
      const asked = engine.sessions.run(
        i % 2 === 0
          ? { sql: `${sql(300_000)} WHERE NOT throwIf(number = 250000)`, format: 'JSONCompactEachRowWithNames' }
          : { sql: sql(3_000_000), format: 'JSONCompactEachRowWithNames', signal: stop.signal },
      );
      const timer = setTimeout(() => stop.abort(), i % 7);
      await asked.catch((error: unknown) => ((error as { code?: string }).code === 'cancelled' ? cancelled++ : failed++));
      clearTimeout(timer);
      const { bytes } = await engine.sessions.run({ sql: `SELECT ${i} AS answer`, format: 'JSONCompactEachRowWithNames' });
      expect(Buffer.from(bytes).toString()).toBe(`["answer"]\n[${i}]\n`);
    }
    expect(failed).toBe(30);
    expect(cancelled).toBeGreaterThan(10);
  }, 60_000);

  it('leaves no setting of an insert or a query behind on the connection', async () => {
    const changed = "SELECT name, value FROM system.settings WHERE changed AND name != 'log_comment' ORDER BY name";
    const before = await engine.run(changed);
    await store.insert('steps', encodeRows('steps', [stepRow({ step: 1 })]), 'token-a');
    await store.query('SELECT 1', { maxRows: 1 });
    for (const reading of [false, true]) {
      expect(await engine.run(changed, { reading })).toBe(before);
    }
    const columns = TABLES.steps.columns;
    for (const step of [2, 3]) {
      await engine.insert(
        { table: 'steps', columns, settings: {} },
        encodeRows('steps', [stepRow({ step, token_log_probabilities: [-1] })]),
      );
    }
    expect(await one('SELECT count() FROM steps')).toBe(3);
  });

  it('drops a block that comes again with its token, before any merge', async () => {
    const block = encodeRows('steps', [stepRow()]);
    for (let i = 0; i < 3; i += 1) await store.insert('steps', block, 'same');
    expect((await engine.run('SELECT count() FROM steps SETTINGS final = 0')).trim()).toBe('1');
  });

  it('inserts packed rows as one part, once', async () => {
    const rows = Array.from({ length: 70_000 }, (_, i) =>
      stepRow({ trajectory_id: `job:${i >> 10}:t:0:${i >> 3}`, step: i & 7 }),
    );
    const block = joinRows([packRows(encodeRows('steps', rows.slice(0, 9))), packRows(encodeRows('steps', rows.slice(9)))]);
    for (let i = 0; i < 2; i += 1) await store.insert('steps', block, 'packed');
    const parts = `SELECT count(), sum(rows) FROM system.parts WHERE active AND database = 'millrace' AND table = 'steps'`;
    expect((await engine.run(parts)).trim()).toBe('1,70000');
    expect(readdirSync(join(path, 'incoming'))).toEqual([]);
    await expect(store.insert('steps', packRows(Buffer.from('nonsense\n'.repeat(300))), 'bad')).rejects.toThrow();
    expect(readdirSync(join(path, 'incoming'))).toEqual([]);
  });

  it('reads packed rows into the columns as they are now, also rows that end before the newest', async () => {
    const insert = async (job: string): Promise<void> => {
      const rows = Array.from({ length: 20 }, (_, step) => stepRow({ job, step, result: step % 2 === 0 ? '' : 'ü"\n' }));
      const whole = {
        step_reward: 0.5,
        advantage: null,
        other_actions: ['get(1)', 'end', 'get(1)'],
        other_probabilities: [0.5, 0],
      };
      const packed = packRows(encodeRows('steps', [...rows, stepRow({ job, step: 20, state_before: '{"a":[]}', ...whole })]));
      expect(isPacked(packed)).toBe(true);
      await store.insert('steps', packed, job);
    };
    const columns = 'tool, result, decision, mistake, state_before, other_actions, step_reward, advantage';
    const rowsOf = async (job: string): Promise<unknown> =>
      (await store.query(`SELECT ${columns} FROM steps WHERE job = '${job}' AND step IN (1, 20) ORDER BY step`)).rows;
    const last = ['find_user', 'ok', 'choice', '', '{"a":[]}', ['get(1)', 'end', 'get(1)'], 0.5, null];
    await insert('before');
    expect(await rowsOf('before')).toEqual([['find_user', 'ü"\n', 'choice', '', '', [], null, null], last]);
    await engine.run(`ALTER TABLE steps MODIFY COLUMN mistake DEFAULT 'unknown'`);
    await insert('after');
    await engine.run(`ALTER TABLE steps MODIFY COLUMN mistake DEFAULT ''`);
    expect(await rowsOf('after')).toEqual([['find_user', 'ü"\n', 'choice', 'unknown', '', [], null, null], last]);
  });

  it('takes text only: binary rows are refused, never misread', async () => {
    const binary = Buffer.from(Float32Array.of(1.5, -2.5, 1e30).buffer);
    await expect(store.insert('steps', binary, 'binary')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await one('SELECT count() FROM steps')).toBe(0);
  });

  it('blames the rows for a vector that is none', async () => {
    const good = encodeRows('steps', [stepRow()]).toString('utf8').trimEnd();
    for (const base64 of ['!!!', 'AAA=']) {
      const bad = `${good.slice(0, good.lastIndexOf(',') + 1)}"${base64}"]\n`;
      await expect(store.insert('steps', Buffer.from(bad), base64), base64).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.not.stringContaining('DB::Exception') as string,
      });
    }
  });

  it('keeps any text as it was', async () => {
    let token = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: 'binary', maxLength: 40 }), { minLength: 1, maxLength: 20 }), async (texts) => {
        await engine.run('TRUNCATE TABLE steps');
        const rows = texts.map((result, step) => stepRow({ step, result, arguments: JSON.stringify(result), task_id: result }));
        await store.insert('steps', encodeRows('steps', rows), `text-${(token += 1)}`);
        const { rows: read } = await store.query('SELECT result, task_id FROM steps ORDER BY step');
        expect(read).toEqual(texts.map((text) => [text, text]));
      }),
      { numRuns: 20 },
    );
  });

  it('keeps numbers as they were, the ones JSON has no words for too', async () => {
    const row = updateRow({ loss: NaN, kl: Infinity, entropy: -Infinity, decisions: Number.MAX_SAFE_INTEGER, reward_mean: 0.1 });
    await store.insert('updates', encodeRows('updates', [row]), 'numbers');
    const { rows } = await store.query('SELECT loss, kl, entropy, decisions, reward_mean, committed_at FROM updates');
    expect(rows).toEqual([['nan', 'inf', '-inf', Number.MAX_SAFE_INTEGER, 0.1, '2026-01-01 00:00:00.000000']]);
  });

  it('opens a folder once, in this process', async () => {
    await expect(openEmbeddedStore({ path: `${path}-other` })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining(path) as string,
    });
  });

  it('says who has the folder when another process opens it', async () => {
    const code = `const { openEmbeddedStore } = await import(${moduleUrl('./embedded.ts')});
      await openEmbeddedStore({ path: process.argv[1] }).then(() => console.log('open'), (e) => console.log(e.code, e.message));`;
    const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code, path]);
    expect(stdout).toMatch(new RegExp(`^failed_precondition process ${process.pid} has the trajectory store .* CLICKHOUSE_URL`));
  });

  it('refuses to start in a worker thread', async () => {
    const code = `import('tsx/esm/api').then(async ({ register }) => {
      register();
      const { openEmbeddedStore } = await import(${moduleUrl('./embedded.ts')});
      const { parentPort, workerData } = await import('node:worker_threads');
      await openEmbeddedStore({ path: workerData }).then(() => parentPort.postMessage('open'), (e) => parentPort.postMessage(e.code + ' ' + e.message));
    });`;
    const worker = new Worker(code, { eval: true, workerData: `${path}-worker` });
    const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
    expect(answer).toMatch(/^failed_precondition .*main thread/);
  });

  it('shows no files as tables', async () => {
    for (const table of ["'/etc/hostname'", '`/etc/hostname`', 'default.`/etc/hostname`', '"/etc/hostname"']) {
      await expect(store.query(`SELECT * FROM ${table}`), table).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });

  it('keeps a query from changing the limits it runs under', async () => {
    for (const settings of ['readonly = 0', 'max_execution_time = 0, readonly = 2']) {
      await expect(store.query(`SELECT 1 SETTINGS ${settings}`)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    await expect(store.query('SELECT 1 SETTINGS max_threads = 64')).rejects.toThrow(/leave SETTINGS out/);
    const filter = `additional_table_filters = {'system.one': 'length(file(\\'/etc/hostname\\')) > 0'}`;
    for (const settings of [
      filter,
      `final, ${filter}`,
      `x.y = 1, ${filter}`,
      `\`final\`, ${filter}`,
      'max_memory_usage = 0',
      'final',
    ]) {
      for (const sql of [
        `SELECT * FROM (SELECT dummy FROM system.one SETTINGS ${settings})`,
        `WITH a AS (SELECT dummy FROM system.one SETTINGS ${settings}) SELECT * FROM a`,
        `(SELECT dummy FROM system.one SETTINGS ${settings}) UNION ALL SELECT 1`,
        `EXPLAIN SELECT dummy FROM system.one SETTINGS ${settings}`,
        `DESCRIBE TABLE (SELECT dummy FROM system.one SETTINGS ${settings})`,
        `SHOW TABLES WHERE 1 IN (SELECT dummy FROM system.one SETTINGS ${settings})`,
        `SHOW TABLES SETTINGS ${settings}`,
      ])
        await expect(store.query(sql), sql).rejects.toThrow(/leave SETTINGS out/);
    }
    await expect(store.query(`(SELECT dummy FROM system.one) SETTINGS ${filter}`)).rejects.toThrow(/leave SETTINGS out/);
  });

  it('inserts while a long query runs', async () => {
    const cancel = new AbortController();
    const long = store.query('SELECT sum(sleepEachRow(0.1)) FROM numbers(10)', {
      signal: cancel.signal,
    });
    const first = await Promise.race([
      long.then(() => 'query'),
      store.insert('steps', encodeRows('steps', [stepRow()]), 'meanwhile').then(() => 'insert'),
    ]);
    cancel.abort();
    expect(first).toBe('insert');
    await expect(long).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('answers questions while exports to files run', async () => {
    const cancel = new AbortController();
    const { signal } = cancel;
    const files = [1, 2, 3].map((i) =>
      store.writeFile('SELECT sleepEachRow(0.1) FROM numbers(25)', join(path, `${i}.parquet`), { format: 'Parquet', signal }),
    );
    const ends = Promise.allSettled(files);
    const first = await Promise.race([
      ...files.map((file) => file.then(() => 'export')),
      store.query('SELECT 1').then(() => 'query'),
    ]);
    cancel.abort();
    expect(first).toBe('query');
    expect(await ends).toEqual(
      Array.from(files, () => ({ status: 'rejected', reason: expect.objectContaining({ code: 'cancelled' }) as unknown })),
    );
  });

  it('says so when the folder cannot be one', async () => {
    await store.close();
    await expect(openEmbeddedStore({ path: join(new URL(import.meta.url).pathname, 'x') })).rejects.toMatchObject({
      code: 'permission_denied',
    });
    await open();
  });

  it('ends a query that runs too long, and one that takes too much memory', async () => {
    const hasty = new ClickHouseStore(engine, { maxQuerySeconds: 0.2 });
    await expect(hasty.query('SELECT sum(sipHash64(number)) FROM numbers(100000000000)')).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
    const small = new ClickHouseStore(engine, { maxQueryBytes: 20 * MIB });
    await expect(small.query('SELECT length(groupArray(number)) FROM numbers(10000000)')).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
  });

  it('has what it acknowledged after kill -9', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-killed-'));
    try {
      const child = `const { openEmbeddedStore } = await import(${moduleUrl('./embedded.ts')});
        const { encodeRows } = await import(${moduleUrl('../records/encode.ts')});
        const { stepRow } = await import(${moduleUrl('./fixtures.ts')});
        const store = await openEmbeddedStore({ path: process.argv[1] });
        await store.migrate();
        for (let step = 0; step < 20; step += 1) await store.insert('steps', encodeRows('steps', [stepRow({ step })]), 't' + step);
        process.kill(process.pid, 'SIGKILL');`;
      await expect(run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', child, folder])).rejects.toMatchObject({
        signal: 'SIGKILL',
      });
      const read = `const { openEmbeddedStore } = await import(${moduleUrl('./embedded.ts')});
        const store = await openEmbeddedStore({ path: process.argv[1] });
        console.log(JSON.stringify((await store.query('SELECT count() FROM steps')).rows));
        await store.close();`;
      const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', read, folder]);
      expect(stdout.trim()).toBe('[[20]]');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
