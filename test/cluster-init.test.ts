import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loginOf } from '../cluster/node/connect.ts';
import { findNatsServer } from '../cluster/infra/nats-server.ts';
import type { Identity } from '../cluster/infra/nats/access.ts';
import { clusterNode } from '../cluster/node/cluster-node.ts';
import { loadClusterConfig } from '../src/config/cluster.ts';
import { readTlsFiles } from '../src/identity/tls-files.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { ROLE_NAMES } from '../src/protocol/roles.ts';
import { millraceInProcess } from './support/in-process.ts';
import { freePorts } from './support/nats-cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-init-'));
const made = join(folder, 'north');
const servers: ChildProcess[] = [];
let url: string;

beforeAll(async () => {
  // Routes listen 2000 above.
  const ports = (await freePorts(12)).filter((port) => port < 60_000).slice(0, 3);
  url = ports.map((port) => `tls://127.0.0.1:${port}`).join(',');
  const { code, stderr, stdout } = await millraceInProcess(
    ['cluster', 'init', 'north', '--name', 'north', '--nats', url, '--hosts', 'a.example,10.0.0.7'],
    folder,
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/nats-server --config nats\.conf[^]*millrace node run --roles ROLE/);
});
afterAll(async () => {
  for (const server of servers) {
    if (server.exitCode !== null) continue;
    const gone = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await gone;
  }
  rmSync(folder, { recursive: true });
});

const filesIn = (path: string): string[] => readdirSync(join(made, path)).sort();

describe('millrace cluster init', () => {
  it('gives each role its own secrets and no others, to their owner alone', () => {
    const common = ['ca.pem', 'node.key', 'node.pem'];
    expect(filesIn('roles')).toEqual([...ROLE_NAMES].sort());
    expect(filesIn('roles/rollout/credentials')).toEqual([...common, 'nats-rollout.password'].sort());
    expect(filesIn('roles/learner/credentials')).toEqual([...common, 'nats-learner.password', 'work.token'].sort());
    expect(filesIn('roles/coordinator/credentials/join')).toHaveLength(18);
    expect(filesIn('admin/credentials')).toContain('admin.token');
    const all = readdirSync(made, { recursive: true, encoding: 'utf8' });
    const secrets = all.filter((path) => /\.(key|token|password|conf)$/.test(path));
    expect(secrets.length).toBeGreaterThan(20);
    for (const path of secrets) expect([path, statSync(join(made, path)).mode & 0o077]).toEqual([path, 0]);
    expect(all.filter((path) => path.endsWith('ca.key'))).toEqual(['ca/ca.key', 'roles/coordinator/credentials/ca.key']);
  });

  it('gives settings with which a node of every role starts', async () => {
    for (const role of ROLE_NAMES) {
      const { config } = loadClusterConfig({ file: 'cluster.yaml', cwd: join(made, 'roles', role) });
      const { settings, missingPassword } = await clusterNode(config, { roles: [role] });
      expect([settings.nats?.identity, missingPassword]).toEqual([role, undefined]);
      expect(settings.natsAccess).toMatchObject({ replicas: 3 });
      expect(readTlsFiles(settings.tls!, Date.now()).names).toEqual([{ cluster: 'north', role, node: role }]);
    }
  });

  it('refuses a folder that holds something, and what it cannot use', async () => {
    const init = async (...more: string[]): Promise<string> =>
      (await millraceInProcess(['cluster', 'init', ...more], folder)).stderr;
    expect(await init('north', '--name', 'x', '--nats', url)).toMatch(/is not empty; name a new folder/);
    expect(await init('b', '--name', 'a/b', '--nats', url)).toMatch(/"a\/b" is no name of a cluster/);
    expect(await init('c', '--name', 'x', '--nats', 'http://a')).toMatch(/--nats: got "http:\/\/a", expected an address/);
    expect(await init('d', '--name', 'x', '--nats', 'tls://a', '--replicas', '3')).toMatch(/3 copies need as many NATS servers/);
    expect(await init('e', '--name', 'x', '--nats', 'tls://a', '--hosts', 'a b')).toMatch(/"a b" is neither a host name/);
  });

  it('gives NATS servers that are one cluster with TLS, where roles log in', async () => {
    const binary = await findNatsServer();
    for (const name of ['n1', 'n2', 'n3']) {
      const cwd = join(made, 'nats', name);
      const check = spawnSync(binary, ['--config', 'nats.conf', '-t'], { cwd, encoding: 'utf8' });
      expect([check.status, check.stderr]).toEqual([0, expect.stringContaining('is valid')]);
      servers.push(spawn(binary, ['--config', 'nats.conf', '--addr', '127.0.0.1', '--log', 'log'], { cwd, stdio: 'ignore' }));
    }
    const connect = (identity: Identity, password: string) =>
      connectBus({
        servers: url,
        name: identity,
        caFile: join(made, 'ca/ca.pem'),
        replicas: 3,
        ...loginOf({ identity, password }),
      });
    const passwordOf = (role: string): string =>
      readFileSync(
        join(made, role === 'admin' ? 'admin' : `roles/${role}`, 'credentials', `nats-${role}.password`),
        'utf8',
      ).trim();
    await expect.poll(() => existsSync(join(made, 'nats/n3/log')), { timeout: 10_000 }).toBe(true);
    const coordinator = await connect('coordinator', passwordOf('coordinator'));
    // Servers that have just met cannot place three copies yet.
    await expect.poll(() => coordinator.ensureTopology().then(() => true, String), { timeout: 30_000 }).toBe(true);
    const rollout = await connect('rollout', passwordOf('rollout'));
    await expect(rollout.kv('jobs').put('evil', new Uint8Array(1))).rejects.toMatchObject({ code: 'permission_denied' });
    await rollout.close();
    await coordinator.close();
    await expect(connect('coordinator', passwordOf('rollout'))).rejects.toMatchObject({ code: 'unauthenticated' });
  }, 90_000);
});
