import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Authenticator } from '../../src/access/authenticator.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MillraceError } from '../../src/errors.ts';
import { CredentialState } from '../../src/gen/millrace/v1/access_pb.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { CREDENTIALS } from '../../src/protocol/names.ts';
import { credentialDesk, type CredentialDesk } from './credential-desk.ts';
import { CredentialDirectory, MOST_AGE_MS } from './credential-directory.ts';

let clock: VirtualClock;
let bus: ReturnType<typeof memoryBus>;
let desk: CredentialDesk;
let directory: CredentialDirectory;
let authenticator: Authenticator;
beforeEach(async () => {
  clock = new VirtualClock();
  bus = memoryBus({ clock });
  desk = credentialDesk({ bus, clock });
  directory = new CredentialDirectory({ bus, clock });
  authenticator = new Authenticator({ credentials: directory, now: () => clock.now() });
  await pass(1);
});
afterEach(() => directory.close());

const pass = (ms: number): Promise<void> => clock.run(clock.sleep(ms));
const lasting = (seconds: number) => create(DurationSchema, { seconds: BigInt(seconds) });
const boss = { name: 'boss', owner: 'boss', scopes: ['admin'] as const };

/** Makes one, and waits until the directory may have heard of it. */
async function made(name: string, { owner = '', scopes = ['train', 'read'], ttl = 3600 } = {}): Promise<string> {
  const request = { name, owner, scopes, ttl: lasting(ttl) };
  const { token } = await desk.createCredential(request as never, boss);
  await pass(1);
  return token;
}

/** Owner of who shows a token, or the code of the error. */
function seen(token: string): string {
  try {
    return authenticator.authenticate({ authorization: `Bearer ${token}` }).owner!;
  } catch (thrown) {
    return MillraceError.from(thrown).code;
  }
}

describe('a named credential', () => {
  it('lets its holder in until its end, and is kept as a hash alone', async () => {
    const token = await made('ana', { ttl: 60, owner: 'research' });
    expect(seen(token)).toBe('research');
    expect(seen(`${token}x`)).toBe('unauthenticated');
    expect(new TextDecoder().decode((await bus.kv(CREDENTIALS).get('ana'))!.value)).not.toContain(token.slice(5));
    const { credentials } = await desk.listCredentials();
    expect(credentials).toMatchObject([
      { name: 'ana', owner: 'research', scopes: ['train', 'read'], state: CredentialState.ACTIVE, createdBy: 'boss' },
    ]);
    await pass(60_000);
    expect(seen(token)).toBe('unauthenticated');
    expect((await desk.listCredentials()).credentials).toMatchObject([{ state: CredentialState.EXPIRED }]);
  });

  it('lets nobody in once it was revoked, at once; its name can then be given again', async () => {
    const token = await made('ana');
    expect(await desk.revokeCredential({ name: 'ana' })).toMatchObject({ credential: { state: CredentialState.REVOKED } });
    await pass(1);
    expect(seen(token)).toBe('unauthenticated');
    await expect(desk.rotateCredential({ name: 'ana' } as never)).rejects.toMatchObject({ code: 'failed_precondition' });
    const next = await made('ana');
    expect([seen(token), seen(next)]).toEqual(['unauthenticated', 'ana']);
    await expect(made('ana')).rejects.toMatchObject({ code: 'already_exists', field: 'name' });
    await expect(desk.revokeCredential({ name: 'bob' })).rejects.toMatchObject({ code: 'not_found', field: 'name' });
  });

  it('has another token after a rotation, and the old one for as long as was asked', async () => {
    const first = await made('ana');
    const { token: second } = await desk.rotateCredential({ name: 'ana', overlap: lasting(10) } as never);
    await pass(1);
    expect([seen(first), seen(second)]).toEqual(['ana', 'ana']);
    await pass(10_000);
    expect([seen(first), seen(second)]).toEqual(['unauthenticated', 'ana']);
    const { token: third } = await desk.rotateCredential({ name: 'ana', ttl: lasting(7200) } as never);
    await pass(1);
    expect([seen(second), seen(third)]).toEqual(['unauthenticated', 'ana']);
    await pass(3_600_000);
    expect(seen(third)).toBe('ana');
  });

  it('is made by one of two that ask for its name at the same time', async () => {
    const both = await Promise.allSettled([made('ana'), made('ana')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it.each<[string, { ttl?: number; name?: string; owner?: string; scopes?: string[] }]>([
    ['name', { name: 'a.token' }],
    ['name', { name: 'x'.repeat(41) }],
    ['owner', { owner: 'a b' }],
    ['scopes', { scopes: ['write'] }],
    ['scopes', { scopes: [] }],
    ['ttl', { ttl: 59 }],
    ['ttl', { ttl: 367 * 86_400 }],
  ])('is not made with a wrong %s: %j', async (field, { ttl = 60, ...wrong }) => {
    const request = { name: 'ana', owner: '', scopes: ['read'], ttl: lasting(ttl), ...wrong };
    await expect(desk.createCredential(request as never, boss)).rejects.toMatchObject({ code: 'invalid_argument', field });
  });
});

describe('a node', () => {
  it('ends open calls when their credential is revoked, replaced or expires', async () => {
    const ended: string[] = [];
    const follow = (name: string, token: string): void => {
      const caller = authenticator.authenticate({ authorization: `Bearer ${token}` });
      authenticator.watch(caller, ({ code }) => ended.push(`${name} ${code}`));
    };
    for (const name of ['kept', 'revoked', 'replaced']) follow(name, await made(name));
    follow('short', await made('short', { ttl: 60 }));
    await desk.revokeCredential({ name: 'revoked' });
    await desk.rotateCredential({ name: 'replaced' } as never);
    await pass(1);
    expect(ended).toEqual(['revoked unauthenticated', 'replaced unauthenticated']);
    await pass(65_000);
    expect(ended.slice(2)).toEqual(['short unauthenticated']);
  });

  it('that has lost NATS lets nobody in by name after half a minute, until it is back', async () => {
    const token = await made('ana', { ttl: 100_000 });
    const kv = bus.kv.bind(bus);
    bus.kv = () => {
      throw new MillraceError('unavailable', 'NATS is away');
    };
    await pass(MOST_AGE_MS - 10_000);
    expect(seen(token)).toBe('ana');
    await pass(15_000);
    expect(seen(token)).toBe('unavailable');
    bus.kv = kv;
    await pass(6_000);
    expect(seen(token)).toBe('ana');
  });

  it('finds a change that its watch has missed', async () => {
    directory.close();
    const kv = bus.kv.bind(bus);
    bus.kv = (bucket) => ({ ...kv(bucket), watch: () => Promise.resolve(() => {}) });
    directory = new CredentialDirectory({ bus, clock });
    authenticator = new Authenticator({ credentials: directory, now: () => clock.now() });
    const token = await made('ana');
    await pass(5_000);
    expect(seen(token)).toBe('ana');
    await kv(CREDENTIALS).put('broken', new TextEncoder().encode('{'));
    await desk.revokeCredential({ name: 'ana' });
    await pass(5_000);
    expect(seen(token)).toBe('unauthenticated');
  });
});
