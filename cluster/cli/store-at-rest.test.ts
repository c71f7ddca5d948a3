import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRows } from '../../src/records/encode.ts';
import { stepRow, trajectoryRow } from '../../src/store/fixtures.ts';
import { TOKEN } from '../../src/store/http/testing.ts';
import { openServerStore } from '../../src/store/server.ts';
import { main } from './main.ts';

/** The server is the embedded engine's own port, in a process of its own. */
describe('the store of no running cluster', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-at-rest-'));
  let child: ChildProcess;
  let url = '';

  beforeAll(async () => {
    const entry = fileURLToPath(new URL('../../src/store/http/testing-main.ts', import.meta.url));
    child = fork(entry, [], { execArgv: ['--import', 'tsx'] });
    [{ url }] = (await once(child, 'message')) as [{ url: string }];
    const store = await openServerStore({ url, username: 'writer', password: TOKEN, database: 'served' });
    await store.migrate();
    await store.insert('trajectories', encodeRows('trajectories', [trajectoryRow({ job: 'served' })]), 't');
    await store.insert('steps', encodeRows('steps', [stepRow({ job: 'served' })]), 's');
    await store.close();
  }, 120_000);
  afterAll(async () => {
    child.disconnect();
    await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(env: NodeJS.ProcessEnv, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const finished = { code: -1, stdout: '', stderr: '' };
    const output = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (finished[stream] += text) });
    const environment = { stdout: output('stdout'), stderr: output('stderr'), env, cwd: folder };
    finished.code = await main(args, { ...environment, signal: new AbortController().signal });
    return finished;
  }

  it('is on the server that CLICKHOUSE_URL names, also beside an embedded one', async () => {
    const server = { CLICKHOUSE_URL: url, CLICKHOUSE_USER: 'writer', CLICKHOUSE_PASSWORD: TOKEN };
    // In the port's own database nobody may write what migrations write.
    const env = { ...server, CLICKHOUSE_DATABASE: 'served' };
    mkdirSync(join(folder, '.millrace', 'clickhouse'), { recursive: true });
    const asked = await run(env, 'sql', 'SELECT job FROM trajectories', '--csv');
    expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining('served') as string });
    expect(asked.stderr).toBe(`no cluster is running; using the store on ${new URL(url).host}\n`);
    expect((await run(env, 'store', 'stats')).stdout).toMatch(/^served +1 +1 /m);
    expect((await run(env, 'export', '--format', 'parquet', '--out', 'served.parquet')).code).toBe(0);
    expect(existsSync(join(folder, 'served.parquet'))).toBe(true);
    expect(await run({ ...env, CLICKHOUSE_PASSWORD: 'guess' }, 'store', 'stats')).toMatchObject({ code: 1, stdout: '' });
  });

  it('is nowhere without either', async () => {
    expect(await run({ MILLRACE_STATE: join(folder, 'empty') }, 'sql', 'SELECT 1')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('No cluster is running here') as string,
    });
  });
});
