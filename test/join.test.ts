import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findNatsServer } from '../cluster/infra/nats-server.ts';
import { millrace, type RunningCommand } from './support/command.ts';
import { millraceInProcess } from './support/in-process.ts';
import { freePorts } from './support/nats-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-join-'));
const made = join(folder, 'north');
const nodes: RunningCommand[] = [];
let server: ChildProcess | undefined;
let address: string;

function start(role: string, cwd: string, ...settings: string[]): RunningCommand {
  const own = ['network.bind=127.0.0.1', `artifacts.dir=${join(folder, 'artifacts')}`, ...settings];
  const set = own.flatMap((each) => ['--set', each]);
  const node = millrace(['node', 'run', '--roles', role, '--config', 'cluster.yaml', ...set], { cwd });
  nodes.push(node);
  return node;
}

/** A command of a person with the files of `admin`. */
function ask(...args: string[]): ReturnType<typeof millraceInProcess> {
  const tls = ['--tls-ca', 'ca.pem', '--tls-cert', 'node.pem', '--tls-key', 'node.key'];
  const words = ['--address', address, '--token-file', 'admin.token', ...tls, ...args];
  return millraceInProcess(words, join(made, 'admin/credentials'));
}

beforeAll(async () => {
  const [nats, admin] = await freePorts(2);
  address = `127.0.0.1:${admin}`;
  const init = ['cluster', 'init', 'north', '--name', 'north', '--nats', `tls://127.0.0.1:${nats}`];
  expect((await millraceInProcess(init, folder)).code).toBe(0);
  const options = { cwd: join(made, 'nats/n1'), stdio: 'ignore' } as const;
  server = spawn(await findNatsServer(), ['--config', 'nats.conf', '--addr', '127.0.0.1', '--log', 'log'], options);
  const coordinator = start('coordinator', join(made, 'roles/coordinator'), `ports.admin=${admin}`);
  await coordinator.until(/"msg":"node started"/, 120_000);
}, 150_000);
afterAll(async () => {
  for (const node of nodes) node.kill('SIGKILL');
  await Promise.all(nodes.map(({ ended }) => ended));
  const gone = server && new Promise((resolve) => server!.once('exit', resolve));
  server?.kill('SIGKILL');
  await gone;
  rmSync(folder, { recursive: true });
});

const joinWith = (file: string, out: string, ...more: string[]): ReturnType<typeof millraceInProcess> =>
  millraceInProcess(['join', address, '--token-file', file, '--out', out, '--advertise', '127.0.0.1', ...more], folder);

it('a host joins with a token, once, and its node takes part', async () => {
  const created = await ask('cluster', 'token', 'create', '--roles', 'rollout');
  expect([created.code, created.stdout]).toEqual([0, expect.stringMatching(/^mrj1\.[\w-]{43}\.[\w-]{43}\n$/)]);
  writeFileSync(join(folder, 'token'), created.stdout, { mode: 0o600 });

  const wrong = created.stdout.replace(/^mrj1\.[\w-]{43}/, `mrj1.${'A'.repeat(43)}`);
  writeFileSync(join(folder, 'wrong'), wrong);
  const elsewhere = await joinWith('wrong', 'elsewhere');
  expect([elsewhere.code, elsewhere.stderr]).toEqual([1, expect.stringContaining('The token was not sent')]);
  const wider = await joinWith('token', 'wider', '--roles', 'store');
  expect([wider.code, wider.stderr]).toEqual([1, expect.stringContaining('The token is for rollout, not for store')]);

  const joined = await joinWith('token', 'host');
  expect([joined.stderr, joined.code]).toEqual(['', 0]);
  expect(joined.stdout).toContain('millrace node run --roles rollout --config cluster.yaml');
  const mode = (path: string): number => statSync(join(folder, 'host', path)).mode & 0o777;
  expect(['.', 'credentials', 'credentials/node.key', 'credentials/nats-rollout.password'].map(mode)).toEqual([
    0o700, 0o700, 0o600, 0o600,
  ]);
  const again = await joinWith('token', 'again');
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('This token is unknown, was used, or has expired')]);
  // The token of the admin API is another one, and nothing is left of the attempt.
  expect(again.stderr).not.toContain('admin.token');
  expect(existsSync(join(folder, 'again'))).toBe(false);

  const node = start('rollout', join(folder, 'host'));
  await node.until(/"msg":"node started"/, 120_000);
  const listed = async (): Promise<string> => (await ask('node', 'list')).stdout;
  await expect.poll(listed, { timeout: 30_000 }).toMatch(/rollout-/);
}, 200_000);

it('a token in the arguments is refused, and so is none', async () => {
  const shown = await millraceInProcess(['join', address, '--token', 'mrj1.x.y'], folder);
  expect([shown.code, shown.stderr]).toEqual([2, expect.stringContaining('--token - reads standard input')]);
  const none = await millraceInProcess(['join', address, '--advertise', 'd'], folder);
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('The token is missing')]);
});
