import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findNatsServer } from '../cluster/infra/nats-server.ts';
import { ROLE_NAMES, type RoleName } from '../src/protocol/roles.ts';
import { millrace, millraceToEnd, REPOSITORY, type RunningCommand } from './support/command.ts';
import { millraceInProcess } from './support/in-process.ts';
import { freePorts } from './support/nats-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-tls-nodes-'));
const made = join(folder, 'north');
const nodes: RunningCommand[] = [];
let server: ChildProcess | undefined;
let address: string;

/** A node in the folder that `cluster init` made for its role. */
function start(role: RoleName, ...settings: string[]): RunningCommand {
  const own = ['network.bind=127.0.0.1', `artifacts.dir=${join(folder, 'artifacts')}`, ...settings];
  const node = millrace(['node', 'run', '--roles', role, '--config', 'cluster.yaml', ...own.flatMap((each) => ['--set', each])], {
    cwd: join(made, 'roles', role),
  });
  nodes.push(node);
  return node;
}

/** A command with the token of the admin API, and the certificate that is in a folder. */
function ask(certificate: string, ...args: string[]): ReturnType<typeof millraceToEnd> {
  const shown = join(made, certificate, 'credentials');
  const tls = ['--tls-ca', join(shown, 'ca.pem'), '--tls-cert', join(shown, 'node.pem'), '--tls-key', join(shown, 'node.key')];
  const token = join(made, 'admin/credentials/admin.token');
  return millraceToEnd(['--address', address, '--token-file', token, ...tls, ...args], { cwd: REPOSITORY });
}

beforeAll(async () => {
  const [nats, admin] = await freePorts(2);
  address = `127.0.0.1:${admin}`;
  const url = `tls://127.0.0.1:${nats}`;
  const { code } = await millraceInProcess(['cluster', 'init', 'north', '--name', 'north', '--nats', url], folder);
  expect(code).toBe(0);
  const options = { cwd: join(made, 'nats/n1'), stdio: 'ignore' } as const;
  server = spawn(await findNatsServer(), ['--config', 'nats.conf', '--addr', '127.0.0.1', '--log', 'log'], options);
  const started = { coordinator: start('coordinator', `ports.admin=${admin}`), store: start('store') };
  await Promise.all(Object.values(started).map((node) => node.until(/"msg":"node started"/, 120_000)));
  const others = ROLE_NAMES.filter((role) => !(role in started)).map((role) => start(role));
  await Promise.all(others.map((node) => node.until(/"msg":"node started"/, 120_000)));
}, 260_000);
afterAll(async () => {
  for (const node of nodes) node.kill('SIGKILL');
  await Promise.all(nodes.map(({ ended }) => ended));
  const gone = server && new Promise((resolve) => server!.once('exit', resolve));
  server?.kill('SIGKILL');
  await gone;
  rmSync(folder, { recursive: true });
});

describe('a cluster of nodes with certificates of cluster init', () => {
  it('trains over TLS, and its store answers', async () => {
    const created = await ask('admin', 'job', 'create', 'docs/first-flow/job.yaml', '--set', 'rounds=2');
    expect([created.code, created.stdout]).toEqual([0, 'thermostat-1\n']);
    const watched = await ask('admin', 'job', 'watch', 'thermostat-1');
    expect([watched.code, watched.stderr + watched.stdout]).toEqual([0, expect.stringContaining('succeeded')]);
    const rows = async (): Promise<string> =>
      (await ask('admin', 'sql', 'SELECT count() > 255 AS enough FROM trajectories')).stdout;
    await expect.poll(rows, { timeout: 30_000 }).toMatch(/\b(true|1)\b/);
  }, 200_000);

  it('tells who has the token and another role that the admin API is not for it', async () => {
    const { code, stderr } = await ask('roles/learner', 'job', 'list');
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(
        'This service is for certificates of role admin or gateway of cluster north; yours has learner of north',
      ),
    ]);
  });
});
