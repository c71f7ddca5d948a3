import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectBus } from '../../src/protocol/connect.ts';
import { findNatsServer, startNatsServer } from './nats-server.ts';
import { openNatsPasswords } from './credentials.ts';

describe('startNatsServer', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-nats-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('starts, keeps its streams over a restart on the same port, and stops', async () => {
    const first = await startNatsServer({ storeDir: folder });
    const bus = await connectBus({ servers: first.url, name: 'test' });
    await bus.ensureTopology();
    await bus.publish('event.a.b', Uint8Array.of(7), { id: '1' });
    await bus.close();
    await first.stop();
    await first.stop();
    await first.exited;
    const second = await startNatsServer({ storeDir: folder, port: first.port });
    expect(second.port).toBe(first.port);
    const again = await connectBus({ servers: second.url, name: 'test' });
    expect((await again.last('EVENTS', 'event.a.b'))?.data).toEqual(Uint8Array.of(7));
    await again.close();
    await second.stop();
  }, 30_000);

  it('refuses a folder that a server runs on, and says how to stop that one', async () => {
    const server = await startNatsServer({ storeDir: folder });
    await expect(startNatsServer({ storeDir: folder })).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'storeDir',
      message: expect.stringContaining(`kill ${server.pid}`) as string,
    });
    await server.stop();
  }, 30_000);

  it('goes on with the streams of a server that knew no accounts', async () => {
    const storeDir = join(folder, 'upgraded');
    const first = await startNatsServer({ storeDir });
    const bus = await connectBus({ servers: first.url, name: 'test' });
    await bus.ensureTopology();
    await bus.kv('jobs').put('kept', new TextEncoder().encode('kept'));
    await bus.publish('event.kept.created', new TextEncoder().encode('kept'), { id: 'kept' });
    await bus.close();
    await first.stop();
    const passwords = openNatsPasswords(join(folder, 'state'));
    const second = await startNatsServer({ storeDir, passwords });
    const login = { user: 'admin', password: passwords.admin };
    const again = await connectBus({ servers: second.url, name: 'test', ...login });
    await again.ensureTopology();
    expect(new TextDecoder().decode((await again.kv('jobs').get('kept'))?.value)).toBe('kept');
    expect((await again.streamState('EVENTS')).messages).toBe(1);
    // A server that does not know the password any more ends the connection, rather than be asked for ever.
    await second.stop();
    const third = await startNatsServer({ storeDir, passwords: openNatsPasswords(join(folder, 'other')), port: second.port });
    expect(await again.closed).toMatchObject({ code: 'unauthenticated' });
    await third.stop();
  });

  it('says so when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startNatsServer({ storeDir: folder, port })).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringContaining('in use') as string,
    });
    other.close();
  }, 30_000);

  it('an abort ends it', async () => {
    const stop = new AbortController();
    const server = await startNatsServer({ storeDir: folder, signal: stop.signal });
    stop.abort();
    await server.exited;
    await expect(startNatsServer({ storeDir: folder, signal: stop.signal })).rejects.toMatchObject({ code: 'cancelled' });
  }, 30_000);

  it('a missing binary is an error with the command to run', async () => {
    await expect(findNatsServer({ NATS_SERVER: join(folder, 'absent') })).rejects.toMatchObject({ field: 'NATS_SERVER' });
    const binary = join(folder, 'nats-server');
    await writeFile(binary, '#!/bin/sh\n', { mode: 0o755 });
    expect(await findNatsServer({ PATH: `/nowhere:${folder}` })).toBe(binary);
  });
});
