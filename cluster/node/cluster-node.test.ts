import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadClusterConfig } from '../../src/config/cluster.ts';
import { ROLE_NAMES, type RoleName } from '../../src/protocol/roles.ts';
import { ROLE_CREDENTIALS } from '../infra/role-files.ts';
import { TEST_CREDENTIALS } from '../infra/credentials.fixture.ts';
import { CREDENTIAL_FILES, natsPasswordFile } from '../infra/credentials.ts';
import { credentialsOf } from '../runtime/settings/credentials.ts';
import { clusterNode, rolesIn, type ClusterNode } from './cluster-node.ts';

const PASSWORD = 'a password on NATS';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-cluster-node-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const node = (roles: RoleName[], settings: string[] = [], id?: string): Promise<ClusterNode> => {
  const overrides = ['nats.url=nats://a:4222,nats://b:4222', 'ports.clickhouse=off', ...settings];
  return clusterNode(loadClusterConfig({ overrides, cwd: folder }).config, { roles, id });
};

function write(name: string, text: string, in_ = '.millrace/credentials'): void {
  mkdirSync(join(folder, in_), { recursive: true });
  writeFileSync(join(folder, in_, name), text, { mode: 0o600 });
}

describe('the settings of a node of a cluster', () => {
  it.each(ROLE_NAMES)('of role %s need the files of its own credentials and no others', async (role) => {
    const own = credentialsOf(role, TEST_CREDENTIALS);
    // What is handed to the hosts of a role is what its nodes read.
    expect(ROLE_CREDENTIALS[role]).toEqual(expect.arrayContaining(Object.keys(own)));
    for (const [name, secret] of Object.entries<string>(own)) {
      await expect(node([role])).rejects.toMatchObject({ code: 'invalid_argument', field: 'credentialsDir' });
      write(CREDENTIAL_FILES[name as keyof typeof CREDENTIAL_FILES], secret);
    }
    const { settings } = await node([role]);
    expect(settings.roles).toMatchObject([{ role, ...own }]);
    expect(settings).toMatchObject({ natsUrl: 'nats://a:4222,nats://b:4222', stateDir: join(folder, '.millrace') });
  });

  it('are called by their roles and the host, unless they have a name', async () => {
    const host = hostname().replaceAll(/[^A-Za-z0-9_-]+/g, '-');
    expect((await node(['rollout', 'reward'])).settings.id).toBe(`rollout-reward-${host}`);
    expect((await node(['rollout'], [], 'rollout-7')).settings.id).toBe('rollout-7');
    await expect(node(['rollout'], [], '../x')).rejects.toMatchObject({ code: 'invalid_argument', field: 'id' });
  });

  it('log in to NATS with the password of their role, or as the settings say', async () => {
    const { settings, missingPassword } = await node(['rollout']);
    expect(settings.nats).toBeUndefined();
    expect(missingPassword).toBe(join(folder, '.millrace/credentials/nats-rollout.password'));
    write(natsPasswordFile('rollout'), PASSWORD);
    expect(await node(['rollout'])).toMatchObject({
      settings: { nats: { identity: 'rollout', password: PASSWORD } },
      missingPassword: undefined,
    });
    const own = await node(['rollout'], ['nats.credsFile=/etc/rollout.creds']);
    expect(own).toMatchObject({ settings: { natsAccess: { credsFile: '/etc/rollout.creds' } }, missingPassword: undefined });
    expect(own.settings.nats).toBeUndefined();
  });

  it('are those of admin on NATS where there are several roles', async () => {
    write(natsPasswordFile('admin'), PASSWORD);
    expect((await node(['rollout', 'reward'])).settings.nats?.identity).toBe('admin');
  });

  it('find credentials in another folder, and artifacts in one that is shared', async () => {
    write('work.token', TEST_CREDENTIALS.workToken, 'secrets');
    const { settings } = await node(['learner'], ['credentialsDir=secrets', 'artifacts.dir=/mnt/artifacts']);
    expect(settings.roles).toMatchObject([{ workToken: TEST_CREDENTIALS.workToken }]);
    expect(settings.artifacts).toEqual({ dir: '/mnt/artifacts' });
  });

  it('say where it listens; ports.admin is that of a coordinator', async () => {
    const open = ['network.bind=0.0.0.0', 'network.advertise=h1.example', 'network.insecure=true'];
    const { settings } = await node(['rollout'], [...open, 'network.grpcPort=7001', 'network.httpPort=7002', 'ports.admin=7000']);
    const listening = { bind: '0.0.0.0', advertise: 'h1.example' };
    expect(settings).toMatchObject({ listening, grpcPort: 7001, metricsPort: 7002 });
    for (const name of ['admin.token', 'store.token', 'gateway-work.token']) write(name, TEST_CREDENTIALS.token);
    expect((await node(['coordinator'], ['ports.admin=7000'])).settings.grpcPort).toBe(7000);
    expect((await node(['coordinator'], ['ports.admin=7000', 'network.grpcPort=7001'])).settings.grpcPort).toBe(7001);
  });

  it.each<[string, RoleName[], string[], string]>([
    ['another address than loopback without TLS', ['rollout'], ['network.bind=0.0.0.0'], 'network.bind'],
    ['a gateway that is switched off', ['gateway'], ['ports.gateway=off'], 'ports.gateway'],
  ])('are refused with %s', async (_, roles, settings, field) => {
    await expect(node(roles, settings)).rejects.toMatchObject({ code: 'invalid_argument', field });
  });

  it('are refused without NATS servers', async () => {
    const { config } = loadClusterConfig({ cwd: folder });
    await expect(clusterNode(config, { roles: ['rollout'] })).rejects.toMatchObject({ field: 'nats.url' });
  });
});

describe('roles', () => {
  it('are named with commas between them', () => {
    expect(rolesIn('rollout, reward', '--roles')).toEqual(['rollout', 'reward']);
  });

  it.each(['', 'planner', 'rollout,', 'rollout,rollout'])('that are "%s" are refused with those that there are', (text) => {
    expect(() => rolesIn(text, '--roles')).toThrow(/^--roles: .* expected some of coordinator, parameter-server, .*gateway/);
  });
});
