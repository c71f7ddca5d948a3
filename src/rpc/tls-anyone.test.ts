import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import { JoinService } from '../gen/millrace/v1/join_pb.ts';
import { TestAuthority } from '../identity/identity.fixture.ts';
import { openTlsIdentity, type TlsIdentity } from '../identity/tls-identity.ts';
import { createClient, type ClientOptions } from './client.ts';
import { defineService, type Handlers } from './handlers.ts';
import { startServer, type RunningServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-rpc-anyone-'));
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true }));

const joining = {
  ...defineService(JoinService, { getAuthority: () => ({}) } as unknown as Handlers<typeof JoinService>),
  peers: 'anyone' as const,
};
const admin = {
  ...defineService(AdminService, { listNodes: () => ({}) } as unknown as Handlers<typeof AdminService>),
  peers: ['admin'],
};

async function identity(authority: TestAuthority, role: string): Promise<TlsIdentity> {
  const made = openTlsIdentity(await authority.issue(role));
  open.push(() => made.close());
  return made;
}

async function serve(authority: TestAuthority, role = 'coordinator'): Promise<RunningServer> {
  const server = await startServer({ services: [joining, admin], tls: await identity(authority, role) });
  open.push(() => server.stop(200));
  return server;
}

const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
  );

/** What calls of the two services come to. */
async function calls(address: string, options: ClientOptions): Promise<string[]> {
  const clients = [createClient(JoinService, address, options), createClient(AdminService, address, options)] as const;
  open.push(() => clients.forEach((client) => client.close()));
  return Promise.all([outcome(clients[0].getAuthority({})), outcome(clients[1].listNodes({}))]);
}

describe('a server with a service for anyone', () => {
  it('takes its calls from who has no certificate, and those of no other service', async () => {
    const authority = await TestAuthority.make(folder);
    const { address } = await serve(authority);
    const refused = expect.stringMatching(/^unauthenticated: This server wants a certificate/) as string;
    expect(await calls(address, { trust: 'any' })).toEqual(['done', refused]);
    expect(await calls(address, { trust: { ca: authority.authority.cert } })).toEqual(['done', refused]);
    expect(await calls(address, { tls: await identity(authority, 'admin') })).toEqual(['done', 'done']);
    expect((await calls(address, { tls: await identity(authority, 'rollout') }))[1]).toMatch(/^permission_denied: /);
  });

  it('takes who has a certificate of another authority for one without', async () => {
    const authority = await TestAuthority.make(folder);
    const { address } = await serve(authority);
    const stranger = await TestAuthority.make(mkdtempSync(join(folder, 'stranger-')));
    // It trusts both authorities, the server only one.
    const files = await stranger.issue('admin');
    appendFileSync(files.caFile, authority.authority.cert);
    const tls = openTlsIdentity(files);
    open.push(() => tls.close());
    expect(await calls(address, { tls })).toEqual(['done', expect.stringMatching(/^unauthenticated: /)]);
  });

  it('is open beyond loopback with TLS alone', async () => {
    const authority = await TestAuthority.make(folder);
    const tls = await identity(authority, 'coordinator');
    const server = await startServer({ host: '0.0.0.0', services: [joining], tls });
    open.push(() => server.stop(200));
    await expect(startServer({ host: '0.0.0.0', services: [joining] })).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(startServer({ host: '0.0.0.0', services: [joining, admin], tls })).rejects.toMatchObject({
      message: expect.stringContaining('needs a token') as string,
    });
  });
});

describe('a client that trusts an authority', () => {
  it('calls no server of another one, and none whose certificate is for another role', async () => {
    const authority = await TestAuthority.make(folder);
    const ca = authority.authority.cert;
    const { address } = await serve(authority, 'learner');
    expect((await calls(address, { trust: { ca, role: 'coordinator' } }))[0]).toMatch(/^unavailable: .*not for role coordinator/);
    const other = (await TestAuthority.make(folder, 'other')).authority.cert;
    expect((await calls(address, { trust: { ca: other } }))[0]).toMatch(/^unavailable: /);
  });
});
