import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { millrace, millraceToEnd, processesGone, processesOf, type RunningCommand } from './support/command.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let up: RunningCommand | undefined;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(async () => {
  up?.kill('SIGKILL');
  up = undefined;
  await processesGone(folder.path, 10_000);
  await folder.remove();
});

const here = (...args: string[]): string[] => ['--state', folder.path, ...args];
const small = ['--learners', '1', '--rollouts', '1'];

/** Process of a node; 0 when there is none. */
async function pidOf(id: string): Promise<number> {
  for (const pid of (await processesOf(folder.path)).map((process) => Number.parseInt(process))) {
    const [command, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    if (/node\/main\.[jt]s/.test(command!) && `${command} ${environment}`.match(`"id":"${id}"|\0${id}\0`)) return pid;
  }
  return 0;
}

describe('a cluster that does not start', () => {
  it('says which port is taken, and what to do, before anything is started', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    for (const [name, setting] of [
      ['the admin API', ['--set', `ports.admin=${port}`]],
      ['the gateway', ['--gateway-port', `${port}`]],
      ["ClickHouse's HTTP interface", ['--set', `ports.clickhouse=${port}`]],
    ] as const) {
      const { code, stderr } = await millraceToEnd(here('up', ...small, ...setting));
      expect(code).toBe(1);
      expect(stderr).toContain(`error: port ${port} for ${name} is taken; end what listens there`);
      expect(stderr).not.toContain('starting nats-server');
    }
    server.close();
  });

  it('says at once which node fails and why, shows the end of its log, and leaves nothing running', async () => {
    // Where the store wants to make folders.
    await mkdir(join(folder.path, 'clickhouse'));
    for (const name of ['data', 'metadata', 'store']) await writeFile(join(folder.path, 'clickhouse', name), 'not a database');
    up = millrace(here('up', ...small));
    const [first] = await up.until(/^node store did not start \(exit code 1\): .*; trying again$/m, 10_000);
    expect(first.length).toBeGreaterThan('node store did not start (exit code 1): ; trying again'.length);
    expect(await up.ended).toBe(4);
    expect(up.stderr).toMatch(/^error: Node store cannot start \(exit code 1\): .+/m);
    const log = join(folder.path, 'logs', 'store.log');
    expect(up.stderr).toMatch(
      new RegExp(
        `^the end of ${log}:\n( {2}\\d\\d:\\d\\d:\\d\\d .*\n)* {2}\\d\\d:\\d\\d:\\d\\d fatal the node cannot continue: .+`,
        'm',
      ),
    );
    expect(await processesGone(folder.path, 5_000)).toEqual([]);
    expect((await millraceToEnd(here('job', 'list'))).stderr).toMatch(/No cluster is running here/);
  });
});

describe('a cluster that starts slowly', () => {
  it('is told to other commands and on the terminal, and is not given up', async () => {
    up = millrace(here('up', ...small));
    let store = 0;
    await expect.poll(async () => (store = await pidOf('store'))).toBeGreaterThan(0);
    // As a machine would on which it gets none of the processor.
    process.kill(store, 'SIGSTOP');
    await up.until(/^still starting after 10 s: waiting for store \(.+\)/m, 20_000);
    const list = await millraceToEnd(here('job', 'list'));
    expect(list.code).toBe(4);
    expect(list.stderr).toMatch(
      /^error: The cluster in .* is starting \(process \d+, for 1\d s\): waiting for store \(.+\)\.\nhelp: {2}try again in a moment\n$/,
    );
    process.kill(store, 'SIGCONT');
    await up.until(/admin API at 127\.0\.0\.1:\d+/);
    expect(await pidOf('store')).toBe(store);
    expect((await millraceToEnd(here('job', 'list'))).code).toBe(0);
    await expect(readFile(join(folder.path, 'starting.json'))).rejects.toThrow(/ENOENT/);
    up.interrupt();
    expect(await up.ended).toBe(0);
  });
});
