import { readdirSync } from 'node:fs';
import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { hashOf } from '../../src/access/credential.ts';
import {
  ADMIN_SCOPES,
  GATEWAY_METHODS,
  HTTP_SCOPES,
  JOIN_SCOPES,
  JSON_RPC_SCOPES,
  STORE_SCOPES,
  TRAINER_SCOPES,
} from '../../src/access/required.ts';
import { grants, SCOPES, type Scope } from '../../src/access/scopes.ts';
import { systemClock } from '../../src/clock/system.ts';
import { MillraceError } from '../../src/errors.ts';
import { AdminService } from '../../src/gen/millrace/v1/admin_pb.ts';
import { JoinService } from '../../src/gen/millrace/v1/join_pb.ts';
import { ParameterServerService } from '../../src/gen/millrace/v1/learner_pb.ts';
import { StoreService } from '../../src/gen/millrace/v1/store_pb.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { createClient } from '../../src/rpc/client.ts';
import { defineService } from '../../src/rpc/handlers.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { TEST_CREDENTIALS } from '../infra/credentials.fixture.ts';
import { startGatewayRole } from '../gateway/index.ts';
import type { Role } from '../runtime/context.ts';
import { announce } from '../runtime/nodes.ts';
import { adminGuard } from './admin-guard.ts';
import { CredentialDirectory } from './credential-directory.ts';
import { CredentialStore, newToken } from './credential-store.ts';
import { MemoryArtifacts } from '../../src/artifacts/memory-artifacts.ts';
import { openJobDirectory } from '../jobs/directory.ts';
import { systemRandom } from '../../src/random/seeded.ts';

/** What lets nobody in, by what is wrong with it; `absent` is no credential at all. */
const USELESS = ['absent', 'unknown', 'expired', 'revoked', 'replaced'] as const;
const TABLES = new Map<DescService, Readonly<Record<string, string>>>([
  [AdminService, ADMIN_SCOPES],
  [JoinService, JOIN_SCOPES],
  [ParameterServerService, TRAINER_SCOPES],
  [StoreService, STORE_SCOPES],
]);
const FAST = { perSecond: 1e6, burst: 1e6 };
const tokens = Object.fromEntries([...SCOPES, ...USELESS].map((name) => [name, newToken()])) as Record<
  Scope | (typeof USELESS)[number],
  string
>;

/** A service that answers every call with nothing. */
function idle(service: DescService): ReturnType<typeof defineService> {
  const handler = ({ methodKind }: DescMethod) =>
    methodKind === 'server_streaming' ? () => [] : methodKind === 'bidi_streaming' ? async () => {} : () => ({});
  const handlers = Object.fromEntries(service.methods.map((method) => [method.localName, handler(method)]));
  return defineService(service, handlers as never);
}

/** What comes of a call: `ok`, or the code of its error. */
async function outcome(address: string, method: DescMethod, token: string | undefined): Promise<string> {
  const client = createClient(method.parent, address, { token, timeoutMs: 20_000 });
  // One of the methods, whatever its kind.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const call = (client as any)[method.localName] as (...args: unknown[]) => any;
  try {
    if (method.methodKind === 'unary') await call({});
    else if (method.methodKind === 'client_streaming') await call((async function* () {})());
    else if (method.methodKind === 'server_streaming') for await (const _ of call({}));
    else for await (const _ of call().messages);
    return 'ok';
  } catch (thrown) {
    return MillraceError.from(thrown).code;
  } finally {
    client.close();
  }
}

const bus = memoryBus({ clock: systemClock });
const credentials = new CredentialDirectory({ bus, clock: systemClock });

beforeAll(async () => {
  const store = new CredentialStore(bus);
  const now = systemClock.now();
  const make = (name: string, scopes: readonly Scope[], more: object = {}): Promise<void> => {
    const token = { sha256: hashOf(tokens[name as keyof typeof tokens]) };
    const given = {
      name,
      owner: name,
      scopes: [...scopes],
      tokens: [token],
      createdAt: now,
      createdBy: '',
      expiresAt: now + 6e5,
    };
    return store.create({ ...given, ...more });
  };
  for (const scope of SCOPES) await make(scope, [scope]);
  await make('expired', ['admin'], { expiresAt: now });
  await make('revoked', ['admin'], { revokedAt: now });
  await make('replaced', ['admin'], {
    tokens: [{ sha256: hashOf(newToken()) }, { sha256: hashOf(tokens.replaced), until: now }],
  });
  await vi.waitFor(() => expect(credentials.byName('replaced')).toBeDefined());
});
afterAll(() => credentials.close());

describe('every service of the proto files', () => {
  it('says what each of its methods takes', async () => {
    const folder = new URL('../../src/gen/millrace/v1/', import.meta.url);
    const found: string[] = [];
    for (const file of readdirSync(folder)) {
      const exported = Object.values((await import(new URL(file, folder).href)) as Record<string, { kind?: string }>);
      for (const desc of exported) if (desc.kind === 'service') found.push((desc as DescService).typeName);
    }
    expect([...TABLES.keys()].map(({ typeName }) => typeName).sort()).toEqual(found.sort());
    for (const [{ methods }, table] of TABLES)
      expect(Object.keys(table).sort()).toEqual(methods.map(({ localName }) => localName).sort());
  });

  describe.each([ParameterServerService, StoreService])('$name', (service) => {
    let server: RunningServer;
    beforeAll(async () => {
      server = await startServer({ services: [{ ...idle(service), token: 'of nodes' }], rateLimit: FAST });
    });
    afterAll(() => server.stop(100));

    it.each(service.methods)('$name is for nodes alone', async (method) => {
      for (const token of [undefined, ...Object.values(tokens)])
        expect(await outcome(server.address, method, token)).toBe('unauthenticated');
      expect(await outcome(server.address, method, 'of nodes')).toBe('ok');
    });
  });
});

describe('the admin API', () => {
  let server: RunningServer;
  beforeAll(async () => {
    const guard = adminGuard({ admin: 'of the file', gateway: 'of the gateway' }, { credentials, clock: systemClock });
    server = await startServer({ services: [{ ...idle(AdminService), guard }], rateLimit: FAST });
  });
  afterAll(() => server.stop(100));

  it.each(AdminService.methods)('lets only callers with its scope call $name', async (method) => {
    const needed = ADMIN_SCOPES[method.localName as keyof typeof ADMIN_SCOPES];
    const called = (token: string | undefined): Promise<string> => outcome(server.address, method, token);
    for (const name of USELESS)
      expect([name, await called(name === 'absent' ? undefined : tokens[name])]).toEqual([name, 'unauthenticated']);
    for (const scope of SCOPES)
      expect([scope, await called(tokens[scope])]).toEqual([scope, grants([scope], needed) ? 'ok' : 'permission_denied']);
    expect(await called('of the file')).toBe('ok');
    const isForGateway = (GATEWAY_METHODS as readonly string[]).includes(method.localName);
    expect(await called('of the gateway')).toBe(isForGateway ? 'ok' : 'permission_denied');
  });
});

describe('the gateway', () => {
  let role: Role;
  let url: string;
  beforeAll(async () => {
    const own = { artifacts: new MemoryArtifacts(systemClock), jobs: await openJobDirectory(bus), random: systemRandom() };
    const context = { id: 'g', ...own, bus, clock: systemClock, log: pino({ level: 'silent' }), tls: undefined };
    const node = { id: 'c', roles: ['coordinator' as const], pid: 1, address: '127.0.0.1:1', startedAt: 0, heartbeatAt: 0 };
    const figures = { rssBytes: 0, peakRssBytes: 0, cpuSeconds: 0, eventLoopDelayMs: 0, labels: {}, actors: [] };
    await announce(bus, systemClock, () => ({ ...node, ...figures }));
    const metrics = createMetrics({ node: 'g', role: 'gateway' });
    role = await startGatewayRole({ ...context, metrics }, { role: 'gateway', ...TEST_CREDENTIALS } as never);
    url = role.labels!['gateway']!;
    await vi.waitFor(async () => expect((await ask('GET', '/readyz', tokens.read)).status).toBe(200), { timeout: 5_000 });
  });
  afterAll(() => role.stop(100));

  const headersOf = (token: string | undefined): Record<string, string> =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const ask = async (method: string, path: string, token: string | undefined, body?: string): Promise<Response> => {
    for (;;) {
      const answer = await fetch(`${url}${path}`, { method, headers: headersOf(token), ...(body !== undefined && { body }) });
      if (answer.status !== 429) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  /** Status of a request for a WebSocket; 101 when it was opened. */
  const upgraded = (path: string, token: string | undefined): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers: headersOf(token) });
      const done = (status: number): void => (socket.terminate(), resolve(status));
      socket.once('open', () => done(101)).once('unexpected-response', (_, { statusCode }) => done(statusCode!));
      socket.once('error', reject);
    });

  it.each(Object.entries(HTTP_SCOPES).filter(([route]) => !route.endsWith('*')))(
    'lets only callers with its scope call %s (%s)',
    async (route, needed) => {
      const [method, path] = route.split(' ') as [string, string];
      const status = async (token: string | undefined): Promise<number> =>
        path === '/live' ? upgraded(path, token) : (await ask(method, path, token, method === 'POST' ? '{}' : undefined)).status;
      for (const name of USELESS) {
        const refused = await status(name === 'absent' ? undefined : tokens[name]);
        expect([name, refused === 401]).toEqual([name, needed !== 'open']);
      }
      for (const scope of SCOPES) {
        const refused = (await status(tokens[scope])) === 403;
        const opens = needed === 'open' || (needed !== 'session' && grants([scope], needed));
        expect([scope, refused]).toEqual([scope, !opens]);
      }
    },
  );

  it.each(Object.entries(JSON_RPC_SCOPES))('lets callers call JSON-RPC method %s with scope %s', async (method, needed) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { none: 1 } });
    for (const scope of SCOPES.filter((each) => grants([each], 'read'))) {
      const { error } = (await (await ask('POST', '/rpc', tokens[scope], body)).json()) as { error?: { code: number } };
      expect([scope, error?.code === -32003]).toEqual([scope, !grants([scope], needed)]);
    }
  });
});
