import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { AdminService } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { adminGuard } from './admin-guard.ts';
import { credentialDesk, type CredentialDesk } from './credential-desk.ts';
import { CredentialDirectory } from './credential-directory.ts';

type Admin = ServiceClient<typeof AdminService>;
const JOB = JSON.stringify({ name: 'demo', flow: '/flow.ts' });
let backend: MemoryBackend;
let desk: CredentialDesk;
let directory: CredentialDirectory;
let server: RunningServer;
const open: Admin[] = [];
beforeEach(async () => {
  backend = new MemoryBackend();
  desk = credentialDesk({ bus: backend.bus, clock: systemClock });
  directory = new CredentialDirectory({ bus: backend.bus, clock: systemClock });
  const guard = adminGuard({ admin: 'of the file', gateway: 'of the gateway' }, { credentials: directory, clock: systemClock });
  server = await startServer({ services: [{ ...adminService(backend), guard }] });
});
afterEach(async () => {
  for (const client of open.splice(0)) client.close();
  directory.close();
  await server.stop(100);
});

function clientWith(token: string): Admin {
  open.push(createClient(AdminService, server.address, { token }));
  return open.at(-1)!;
}

async function holderOf(name: string, scopes: string[], owner = ''): Promise<Admin> {
  const { token } = await desk.createCredential({ name, owner, scopes } as never, undefined);
  await vi.waitFor(() => expect(directory.byName(name)).toBeDefined());
  return clientWith(token);
}

describe('the holder of a named credential', () => {
  it('owns the jobs that it makes and the evaluations that it starts, and makes none for others', async () => {
    const ana = await holderOf('ana', ['train', 'read'], 'research');
    const { job } = await ana.createJob({ configJson: JOB });
    expect(job!.owner).toBe('research');
    await expect(ana.createJob({ configJson: JOB, owner: 'bob' })).rejects.toMatchObject({
      ...{ code: 'permission_denied', field: 'owner' },
    });
    const file = clientWith('of the file');
    const other = await file.createJob({ configJson: JOB, owner: 'bob' });
    expect(other.job!.owner).toBe('bob');
    expect((await ana.evaluateJob({ jobId: other.job!.id, version: 1 })).job!.owner).toBe('research');
    expect((await file.evaluateJob({ jobId: other.job!.id, version: 1 })).job!.owner).toBe('bob');
    const boss = await holderOf('boss', ['admin']);
    expect((await boss.createJob({ configJson: JOB, owner: 'bob' })).job!.owner).toBe('bob');
    expect((await boss.createJob({ configJson: JOB })).job!.owner).toBe('boss');
  });

  it('loses an open stream when the credential is revoked', async () => {
    const ana = await holderOf('ana', ['read']);
    await backend.createJob('a', { name: 'demo' } as never);
    const watch = ana.watchJob({ jobId: 'a' })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ job: { id: 'a' } });
    const next = watch.next();
    await desk.revokeCredential({ name: 'ana' });
    await expect(next).rejects.toMatchObject({ code: 'unauthenticated' });
    await vi.waitFor(() => expect(backend.watchers).toBe(0));
  });
});

describe('the gateway', () => {
  it('acts for callers that it has authenticated, whose scopes the coordinator checks again', async () => {
    await holderOf('ana', ['train', 'read'], 'research');
    await holderOf('eve', ['read']);
    const gateway = clientWith('of the gateway');
    const made = (onBehalfOf?: string) => gateway.createJob({ configJson: JOB }, { onBehalfOf });
    expect((await made('ana')).job!.owner).toBe('research');
    expect((await made('gateway-write.token')).job!.owner).toBe('local');
    await expect(made('eve')).rejects.toMatchObject({ code: 'permission_denied' });
    await expect(made('nobody')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('is the only one that may: with other credentials `onBehalfOf` is ignored', async () => {
    await holderOf('ana', ['train'], 'research');
    const bob = await holderOf('bob', ['train']);
    expect((await bob.createJob({ configJson: JOB }, { onBehalfOf: 'ana' })).job!.owner).toBe('bob');
  });
});
