import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StoreService } from '../gen/millrace/v1/store_pb.ts';
import { TestAuthority } from '../identity/identity.fixture.ts';
import { openTlsIdentity, type TlsIdentity } from '../identity/tls-identity.ts';
import { createClient } from './client.ts';
import { defineService, type Handlers, type ServiceRegistration } from './handlers.ts';
import { startServer, type RunningServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-rpc-tls-'));
let authority: TestAuthority;
let stranger: TestAuthority;
const open: (() => unknown)[] = [];
beforeAll(async () => {
  authority = await TestAuthority.make(folder);
  stranger = await TestAuthority.make(mkdtempSync(join(folder, 'stranger-')));
});
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true }));

const service = defineService(StoreService, { prune: () => ({}) } as unknown as Handlers<typeof StoreService>);

async function identity(
  name: string,
  subject: Parameters<TestAuthority['issue']>[1] = {},
  from: TestAuthority = authority,
): Promise<TlsIdentity> {
  const made = openTlsIdentity(await from.issue(name, subject));
  open.push(() => made.close());
  return made;
}

async function serve(peers?: ServiceRegistration['peers'], tls?: TlsIdentity): Promise<RunningServer> {
  const server = await startServer({ services: [{ ...service, peers }], tls: tls ?? (await identity('store')) });
  open.push(() => server.stop(200));
  return server;
}

/** What a call comes to. */
async function call(address: string, tls?: TlsIdentity): Promise<string> {
  const client = createClient(StoreService, address, { tls, timeoutMs: 5_000 });
  open.push(() => client.close());
  return client.prune({}).then(
    () => 'done',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

describe('a server with TLS', () => {
  it('takes calls from certificates of its authority', async () => {
    const { address, port } = await serve();
    expect(await call(address, await identity('coordinator'))).toBe('done');
    expect(await call(`localhost:${port}`, await identity('coordinator'))).toBe('done');
  });

  it('is not taken for one by clients that call another role', async () => {
    const rollout = await serve(undefined, await identity('rollout'));
    expect(await call(rollout.address, await identity('coordinator'))).toMatch(/^unavailable: .*not for role store/);
    expect(await call(`localhost:${rollout.port}`, await identity('coordinator'))).toMatch(/^unavailable: .*not for role store/);
  });

  it('takes none without a certificate, without TLS, or from another authority', async () => {
    const { address } = await serve();
    expect(await call(address)).toMatch(/^unavailable: Nothing answers .* has it TLS as this client has it\?/);
    const foreign = await identity('coordinator', {}, stranger);
    expect(await call(address, foreign)).toMatch(/^unavailable: .*the server's certificate is not from the authority/);
    // It trusts both authorities, the server only one.
    const files = await stranger.issue('both');
    appendFileSync(files.caFile, authority.authority.cert);
    const unknown = openTlsIdentity(files);
    open.push(() => unknown.close());
    expect(await call(address, unknown)).toMatch(/^unavailable: /);
    const plain = await startServer({ services: [service] });
    open.push(() => plain.stop(200));
    expect(await call(plain.address, await identity('coordinator'))).toMatch(
      /^unavailable: .*the server has no TLS; this client does/,
    );
  });

  it('has a certificate for its host, or clients do not call it', async () => {
    const { address, port } = await serve(undefined, await identity('store', { hosts: ['localhost', '10.1.2.3'] }));
    const client = await identity('coordinator');
    expect(await call(`localhost:${port}`, client)).toBe('done');
    expect(await call(address, client)).toMatch(/^unavailable: .*IP: 127\.0\.0\.1 is not in the cert's list/);
  });

  it('takes calls of a service from its roles alone', async () => {
    const { address } = await serve(['coordinator']);
    const names = (role: string, cluster = 'test'): { names: { cluster: string; role: string; node: string }[] } => ({
      names: [{ cluster, role, node: 'x' }],
    });
    expect(await call(address, await identity('a', names('coordinator')))).toBe('done');
    const two = { names: [...names('reward').names, ...names('coordinator').names] };
    expect(await call(address, await identity('b', two))).toBe('done');
    expect(await call(address, await identity('c', names('learner')))).toBe(
      'permission_denied: This service is for certificates of role coordinator of cluster test; yours has learner of test.',
    );
    expect(await call(address, await identity('d', names('coordinator', 'other')))).toMatch(
      /^permission_denied: .*yours has coordinator of other/,
    );
    expect(await call(address, await identity('e', { names: [] }))).toMatch(/^permission_denied: .*yours has no role/);
  });

  it('takes a new certificate without a restart, and so do its clients', async () => {
    const files = await authority.issue('store');
    const tls = openTlsIdentity(files);
    const { address } = await serve(['coordinator'], tls);
    const clientFiles = await authority.issue('coordinator');
    const client = openTlsIdentity(clientFiles);
    open.push(
      () => tls.close(),
      () => client.close(),
    );
    expect(await call(address, client)).toBe('done');
    const next = await TestAuthority.make(folder);
    await next.issue('store');
    await next.issue('coordinator');
    tls.refresh();
    expect(await call(address, await identity('newcomer', {}, authority))).toMatch(/^unavailable: /);
    client.refresh();
    expect(await call(address, client)).toBe('done');
  });
});
