import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { startServer } from '../../src/rpc/server.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { openEmbeddedStore } from '../../src/store/embedded.ts';
import { encodeRows } from '../../src/records/encode.ts';
import { stepRow, trajectoryRow } from '../../src/store/fixtures.ts';
import type { Store } from '../../src/store/store.ts';
import type { TrajectoryTransfer } from '../admin/export.ts';
import { StoreTransfer } from '../admin/export.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { main } from './main.ts';

const COUNT = 300;

/** The commands against a real server over a real store. */
describe('millrace export and import', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-transfer-'));
  const backend = new MemoryBackend();
  let store: Store;
  let transfer: StoreTransfer;
  let server: RunningServer;

  beforeAll(async () => {
    store = await openEmbeddedStore({ path: join(folder, 'clickhouse') });
    await store.migrate();
    const rows = Array.from({ length: COUNT }, (_, n) =>
      trajectoryRow({
        job: 'demo',
        trajectory_id: `demo:${n}:t:0:0`,
        success: n % 2 === 0,
        answer: `"${n} ${'y'.repeat(2000)}"`,
      }),
    );
    await store.insert('trajectories', encodeRows('trajectories', rows), 't');
    await store.insert(
      'steps',
      encodeRows(
        'steps',
        rows.map(({ trajectory_id }) => stepRow({ job: 'demo', trajectory_id })),
      ),
      's',
    );
    transfer = new StoreTransfer(store, join(folder, 'exports'));
    server = await startServer({ services: [adminService(backend)] });
  }, 60_000);
  afterAll(async () => {
    await server.stop(500);
    transfer.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => (backend.transfer = transfer));

  async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    backend.transfer ??= transfer;
    const finished = { code: -1, stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (finished[stream] += text) });
    const environment = {
      stdout: output('stdout'),
      stderr: output('stderr'),
      env: { MILLRACE_ADDRESS: server.address },
      cwd: folder,
    };
    finished.code = await main(args, { ...environment, signal: new AbortController().signal });
    return finished;
  }
  const file = (name: string): string => join(folder, name);
  const read = (name: string): string => readFileSync(file(name), 'utf8');

  /** Streams that break after `chunks` chunks. */
  const breaking = (chunks: number, code: 'unavailable' | 'internal'): TrajectoryTransfer => ({
    importTrajectories: (request) => transfer.importTrajectories(request),
    async *exportTrajectories(request, signal) {
      let sent = 0;
      for await (const chunk of transfer.exportTrajectories({ ...request, chunkBytes: 8192 }, signal)) {
        if ((sent += 1) > chunks) throw new MillraceError(code, 'The link is down.');
        yield chunk;
      }
    },
  });

  it('writes lines to the standard output, and what it did to stderr', async () => {
    const { code, stdout, stderr } = await run('export', '--job', 'demo', '--where', 'success', '--success', 'true');
    expect(code).toBe(0);
    expect(stdout.trimEnd().split('\n')).toHaveLength(COUNT / 2);
    expect(stderr).toMatch(/^150 trajectories, \d+\.\d KiB in .*\n$/);
  });

  it('gives a file its name when it is complete, also over streams that break', async () => {
    const { stdout: whole } = await run('export', '--job', 'demo');
    backend.transfer = breaking(20, 'unavailable');
    const { code, stderr } = await run('export', '--job', 'demo', '--out', 'broken.jsonl');
    expect({ code, text: read('broken.jsonl') === whole }).toEqual({ code: 0, text: true });
    expect(stderr).toMatch(/the stream broke \(The link is down\); going on\n/);
    expect(existsSync(file('broken.jsonl.partial'))).toBe(false);
    expect(existsSync(file('broken.jsonl.partial.cursor'))).toBe(false);
  });

  it('goes on with --resume where another process died, even within a line', async () => {
    const { stdout: whole } = await run('export', '--job', 'demo');
    backend.transfer = breaking(10, 'internal');
    const failed = await run('export', '--job', 'demo', '--out', 'resumed.jsonl');
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(
      /what has come is in resumed\.jsonl\.partial; --resume goes on from there\nerror: The link is down\./,
    );
    // The process died while it wrote: more is in the file than its cursor knows of.
    writeFileSync(file('resumed.jsonl.partial'), `${read('resumed.jsonl.partial')}{"task_id":"half a li`);
    backend.transfer = transfer;
    expect(await run('export', '--job', 'other', '--out', 'resumed.jsonl', '--resume')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is an export of something else') as string,
    });
    expect((await run('export', '--job', 'demo', '--out', 'resumed.jsonl', '--resume')).code).toBe(0);
    expect(read('resumed.jsonl')).toBe(whole);
    expect(await run('export', '--job', 'demo', '--out', 'resumed.jsonl', '--resume')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no export to go on with') as string,
    });
  });

  it('refuses what is no file before it exports, and leaves nothing of an export that never began', async () => {
    mkdirSync(file('a-folder'));
    for (const out of ['a-folder', '/dev/null'])
      expect(await run('export', '--job', 'demo', '--out', out)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^error: Cannot write .* is no file; give the name of one\./) as string,
      });
    expect([existsSync('/dev/null.partial'), existsSync(file('a-folder.partial'))]).toEqual([false, false]);
    const wrong = await run('export', '--where', 'nope = 1', '--out', 'never.jsonl');
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: where: .*nope/) as string });
    expect(existsSync(file('never.jsonl.partial'))).toBe(false);
  });

  it('writes Parquet, and begins again when the store has forgotten its file', async () => {
    backend.transfer = breaking(1, 'internal');
    expect((await run('export', '--job', 'demo', '--format', 'parquet', '--out', 'p.parquet')).code).toBe(1);
    transfer.close();
    backend.transfer = transfer;
    const { code, stderr } = await run('export', '--job', 'demo', '--format', 'parquet', '--out', 'p.parquet', '--resume');
    expect(code).toBe(0);
    expect(stderr).toMatch(/the file of this export is gone.*: beginning again\n/);
    expect(readFileSync(file('p.parquet')).subarray(-4).toString()).toBe('PAR1');
  });

  it('fills in what the planner saw first, and keeps it over an import', async () => {
    const flow = fileURLToPath(new URL('../../docs/first-flow/flow.ts', import.meta.url));
    writeFileSync(file('job.yaml'), `name: thermostat\nflow: ${flow}\n`);
    const rows = ['house-0', 'house-1', 'nowhere'].map((task_id) =>
      trajectoryRow({ job: 'house', task_id, trajectory_id: `house:0:${task_id}:0:0` }),
    );
    await store.insert('trajectories', encodeRows('trajectories', rows), 'house');
    const { code, stderr } = await run('export', '--job', 'house', '--inputs', 'job.yaml', '--out', 'house.jsonl');
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^1 lines are without input: job\.yaml/) as string,
    });
    const lines = read('house.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { task_id: string; input: string | null });
    expect(lines.map(({ task_id }) => task_id)).toEqual(['house-0', 'house-1', 'nowhere']);
    expect(JSON.parse(lines[0]!.input!)).toMatchObject({
      items: expect.anything() as unknown,
      actions: expect.anything() as unknown,
    });
    expect(lines[2]!.input).toBeNull();
    await run('import', 'house.jsonl', '--job', 'house-again');
    expect((await run('export', '--job', 'house-again')).stdout.replaceAll('"job":"house-again"', '"job":"house"')).toBe(
      read('house.jsonl'),
    );
    expect(existsSync(file('house.jsonl.partial'))).toBe(false);
    expect((await run('export', '--inputs', 'job.yaml')).code).toBe(2);
  });

  it('says which option is wrong', async () => {
    for (const [args, message] of [
      [['--format', 'csv'], '--format: got "csv", expected jsonl, parquet or conversations.'],
      [['--format', 'parquet'], 'Parquet goes to a file: give --out FILE.'],
      [['--resume'], '--resume continues a file: give --out FILE.'],
      [['--success', 'yes'], '--success: got "yes", expected true or false.'],
      [['--from-version', '-1'], '--from-version: got "-1", expected a policy version from 0.'],
      [['--since', 'today'], '--since: got "today", expected a time like'],
      [['--where', 'reward >'], 'Syntax error'],
      [['--where', '1) OR (1'], 'where: the ")" at character 2 closes nothing.'],
    ] as const) {
      const { code, stderr } = await run('export', ...args);
      expect({ code, told: stderr.includes(message) }, `${args.join(' ')}: ${stderr}`).toEqual({ code: 2, told: true });
    }
  });

  it('imports what it exported: twice is once, and exporting it again gives the same bytes', async () => {
    await run('export', '--job', 'demo', '--out', 'all.jsonl');
    for (let times = 0; times < 2; times += 1)
      expect(await run('import', 'all.jsonl', '--job', 'copy')).toMatchObject({
        code: 0,
        stdout: `imported ${COUNT} trajectories with ${COUNT} steps\n`,
      });
    const { stdout } = await run('export', '--job', 'copy');
    expect(stdout.replaceAll('"job":"copy"', '"job":"demo"')).toBe(read('all.jsonl'));
    expect(JSON.parse((await run('import', 'all.jsonl', '-o', 'json')).stdout)).toEqual({
      trajectories: COUNT,
      steps: COUNT,
      rejected: 0,
    });
  });

  it('imports nothing of a file with wrong lines, or all but those', async () => {
    const line = (more: object): string =>
      JSON.stringify({ task_id: 't', response: 'r', score: 1, timestamp: '2026-01-01T00:00:00Z', ...more });
    const wrong = [line({ score: 'x' }), 'no json'];
    writeFileSync(file('mixed.jsonl'), [line({}), wrong[0], '', line({ response: 'a\u2028b' }), wrong[1], line({})].join('\r\n'));
    const refused = await run('import', 'mixed.jsonl', '--job', 'mixed');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^line 2: score: got "x", expected a number.*\nline 5: is no JSON.*\nerror: 2 of 5 lines are wrong; nothing was imported\. /,
    );
    const count = async (): Promise<unknown> =>
      (await store.query(`SELECT count() FROM trajectories WHERE job = 'mixed'`)).rows[0]![0];
    expect(await count()).toBe(0);
    const rest = await run('import', 'mixed.jsonl', '--job', 'mixed', '--skip-invalid');
    expect(rest).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^imported 3 trajectories with 0 steps; 2 wrong lines are in /) as string,
    });
    expect(read('mixed.jsonl.rejected')).toBe(`${wrong.join('\n')}\n`);
    expect(await count()).toBe(3);
    await run('import', 'mixed.jsonl', '--job', 'mixed', '--skip-invalid');
    expect(await count()).toBe(3);
  });

  it('says what is wrong with a file', async () => {
    writeFileSync(file('latin.jsonl'), Buffer.from([0x7b, 0xe4, 0x7d]));
    expect(await run('import', 'latin.jsonl')).toMatchObject({ code: 2, stderr: 'error: line 1: is not UTF-8\n' });
    expect(await run('import', 'nowhere.jsonl')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^error: There is no file /) as string,
    });
    expect((await run('import', 'latin.jsonl', '--job', 'No')).stderr).toMatch(/is not a job id/);
    expect((await run('import', 'latin.jsonl', '--steps-file', 'x')).code).toBe(2);
  });
});

describe('the store at rest', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rest-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const finished = { code: -1, stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (finished[stream] += text) });
    const environment = { stdout: output('stdout'), stderr: output('stderr'), env: {}, cwd: folder };
    finished.code = await main(args, { ...environment, signal: new AbortController().signal });
    return finished;
  }

  it('is exported from and imported into without a cluster, Parquet too', async () => {
    const store = await openEmbeddedStore({ path: join(folder, '.millrace', 'clickhouse') });
    await store.migrate();
    const rows = [0, 1, 2].map((n) =>
      trajectoryRow({ job: 'rest', trajectory_id: `rest:${n}:t:0:0`, components: { a: 0.1, b: n } }),
    );
    await store.insert('trajectories', encodeRows('trajectories', rows), 't');
    const steps = rows.map(({ trajectory_id }) => stepRow({ job: 'rest', trajectory_id, state_flags: Float32Array.of(0.5, 1) }));
    await store.insert('steps', encodeRows('steps', steps), 's');
    await store.close();

    expect((await run('export', '--out', 'lines.jsonl')).stderr).toMatch(/^no cluster is running; using the store in /);
    expect((await run('export', '--format', 'parquet', '--out', 't.parquet')).code).toBe(0);
    const stepsFile = await run('-o', 'json', 'export', '--format', 'parquet', '--steps', '--out', 's.parquet');
    expect([stepsFile.code, JSON.parse(stepsFile.stdout)]).toMatchObject([
      0,
      { file: expect.stringMatching(/s\.parquet$/) as string },
    ]);
    const imported = await run('import', 't.parquet', '--steps-file', 's.parquet', '--job', 'again');
    expect(imported).toMatchObject({ code: 0, stdout: 'imported 3 trajectories with 3 steps\n' });
    const { stdout } = await run('export', '--job', 'again');
    expect(stdout.replaceAll('"job":"again"', '"job":"rest"')).toBe(readFileSync(join(folder, 'lines.jsonl'), 'utf8'));
    expect(await run('import', 's.parquet')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/s\.parquet is no Parquet file of trajectories as `millrace export` writes it: /) as string,
    });
    const counted = await run('sql', 'SELECT job, count() AS n FROM trajectories GROUP BY job ORDER BY job', '--json');
    expect(counted.stdout).toBe('{"job":"again","n":3}\n{"job":"rest","n":3}\n');
    // The newest job is looked up, the question has no answer and why is asked: the store is opened once for all of it.
    const asked = await run('query', 'curriculum');
    expect(asked).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^no cluster is running; .*\njob again, the newest; .*\nno rows: .*\n$/) as string,
    });
  });
});
