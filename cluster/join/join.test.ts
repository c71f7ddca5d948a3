import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock/clock.ts';
import { systemClock } from '../../src/clock/system.ts';
import { JoinService } from '../../src/gen/millrace/v1/join_pb.ts';
import { authorityFingerprint, makeRequest } from '../../src/identity/authority.ts';
import { peerNames } from '../../src/identity/peer-name.ts';
import { openTlsIdentity, type TlsIdentity } from '../../src/identity/tls-identity.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { JOINS } from '../../src/protocol/names.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { clusterFiles } from '../infra/cluster-files.ts';
import { checkHost } from './host-name.ts';
import { joinDesk, type JoinDesk } from './join-desk.ts';
import { joinService } from './join-service.ts';
import { formatJoinToken, parseJoinToken } from './token.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-join-'));
const credentials = join(folder, 'roles/coordinator/credentials');
let tls: TlsIdentity;
let request: string;
beforeAll(async () => {
  const nats = [new URL('tls://a:4222')];
  for (const { path, content } of await clusterFiles({ name: 'north', nats, hosts: [] })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const file = (name: string): string => join(credentials, name);
  tls = openTlsIdentity({ caFile: file('ca.pem'), certFile: file('node.pem'), keyFile: file('node.key') });
  request = (await makeRequest('me')).request;
});
afterAll(() => {
  tls.close();
  rmSync(folder, { recursive: true });
});

/** How far the clock was moved, in ms. */
let moved: number;
let clock: Clock;
let desk: JoinDesk;
let server: RunningServer;
let client: ServiceClient<typeof JoinService>;
let bus: ReturnType<typeof memoryBus>;
beforeEach(async () => {
  moved = 0;
  const start = systemClock.now();
  clock = Object.assign(Object.create(systemClock) as Clock, { now: () => start + moved, monotonic: () => moved });
  bus = memoryBus({ clock });
  desk = joinDesk({ bus, clock }, credentials);
  const settings = { folder: credentials, natsUrl: 'tls://a:4222', replicas: 1 as const };
  server = await startServer({ services: [joinService({ bus, clock, tls, log: { info: () => {} } }, settings)], tls });
  client = createClient(JoinService, server.address, { trust: 'any' });
});
afterEach(async () => {
  client.close();
  await server.stop(100);
});

/** A secret for roles. */
async function secretFor(...roles: string[]): Promise<string> {
  return parseJoinToken((await desk.createJoinToken({ roles })).token!, 'token').secret;
}

const ask = (secret: string, roles: string[] = [], host = 'd.example') =>
  client.join({ secret, certificateRequest: request, roles, host });

describe('the text of a token', () => {
  it('is read as it was written, and nothing else is', () => {
    const part = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
    fc.assert(
      fc.property(part, part, fc.nat(200), (authority, secret, at) => {
        const text = formatJoinToken({ authority, secret });
        expect(parseJoinToken(`${text}\n`, 'f')).toEqual({ authority, secret });
        const cut = text.slice(0, at % text.length) + text.slice((at % text.length) + 1);
        expect(() => parseJoinToken(cut, 'f')).toThrow(/^f: holds no token/);
      }),
    );
  });
});

describe('a token', () => {
  it('carries the fingerprint of the authority, and its secret is nowhere in the bucket', async () => {
    const { token } = await desk.createJoinToken({ roles: ['rollout'] });
    const { certificate } = await client.getAuthority({});
    const { authority, secret } = parseJoinToken(token!, 'token');
    expect(authorityFingerprint(certificate)).toBe(authority);
    const [key] = await bus.kv(JOINS).keys();
    const entry = (await bus.kv(JOINS).get(key!))!;
    expect(key! + new TextDecoder().decode(entry.value)).not.toContain(secret);
  });

  it.each<[string[], bigint, string]>([
    [[], 60n, 'got none'],
    [['rollout', 'root'], 60n, 'got "root"'],
    [['store', 'store'], 60n, 'store is named twice'],
    [['store'], 59n, 'got 59 s'],
    [['store'], 604_801n, 'got 604801 s'],
  ])('is not made for %j and %s s', async (roles, seconds, said) => {
    await expect(desk.createJoinToken({ roles, ttl: create(DurationSchema, { seconds }) })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining(said) as string,
    });
  });

  it('is not made where the key of the authority is not, which names the file', async () => {
    await expect(joinDesk({ bus, clock }, folder).createJoinToken({ roles: ['store'] })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining(join(folder, 'ca.pem')) as string,
    });
    await expect(joinDesk({ bus, clock }, undefined).createJoinToken({ roles: ['store'] })).rejects.toMatchObject({
      code: 'failed_precondition',
    });
  });
});

describe('a host that joins', () => {
  it('gets a certificate for its address and roles, and the secrets of those roles alone', async () => {
    const { files, roles } = await ask(await secretFor('learner', 'rollout'));
    expect(roles).toEqual(['learner', 'rollout']);
    expect(files.map(({ path }) => path).sort()).toEqual([
      'cluster.yaml',
      'credentials/ca.pem',
      'credentials/nats-learner.password',
      'credentials/nats-rollout.password',
      'credentials/node.pem',
      'credentials/work.token',
    ]);
    const certificate = new X509Certificate(files.find(({ path }) => path.endsWith('node.pem'))!.content);
    expect(certificate.checkHost('d.example')).toBe('d.example');
    expect(peerNames(certificate)).toEqual(roles.map((role) => ({ cluster: 'north', role, node: 'd.example' })));
    expect(files[0]!.content).toContain('advertise: d.example');
  });

  it('uses its token up: of two at the same time one joins, and a third is refused', async () => {
    const secret = await secretFor('rollout');
    const both = await Promise.allSettled([ask(secret), ask(secret)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find((each) => each.status === 'rejected')!.reason as Error;
    const third = await ask(secret).catch((error: Error) => error);
    const unknown = await ask('x'.repeat(43)).catch((error: Error) => error);
    expect([third, unknown]).toMatchObject([refused, refused].map(({ message }) => ({ code: 'unauthenticated', message })));
  });

  it('is refused after the time of its token', async () => {
    const secret = await secretFor('rollout');
    moved = 3_600_001;
    await expect(ask(secret)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('gets no role that the token is not for, and keeps the token then', async () => {
    const secret = await secretFor('rollout', 'reward');
    await expect(ask(secret, ['rollout', 'admin'])).rejects.toMatchObject({
      code: 'permission_denied',
      message: expect.stringContaining('for rollout, reward, not for admin') as string,
    });
    await expect(ask(secret, ['rollout'], '*.example')).rejects.toMatchObject({ code: 'invalid_argument', field: 'host' });
    await expect(client.join({ secret, certificateRequest: 'x', host: 'd' })).rejects.toMatchObject({ field: 'request' });
    expect((await ask(secret, ['reward'])).roles).toEqual(['reward']);
  });

  it('is slowed down when it guesses', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => ask('x'.repeat(43)).catch(({ code }: { code: string }) => code)),
    );
    expect(answers.filter((code) => code === 'resource_exhausted')).toHaveLength(10);
  });
});

describe('an address to advertise', () => {
  it.each(['d', 'd.example', '10.0.0.7', 'fd00::7'])('can be %s', (host) => expect(() => checkHost(host, 'h')).not.toThrow());
  it.each(['', '*.example', 'a:7500', '0.0.0.0', '::', 'a b', '-a', 'a..b', 'fe80::1%eth0'])('cannot be "%s"', (host) =>
    expect(() => checkHost(host, 'h')).toThrow(/^h: got/),
  );
});
