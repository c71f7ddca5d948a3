import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectBus } from '../../src/protocol/connect.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { mountSmallDisk } from '../../src/telemetry/testing-small-disk.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { keepNatsServer, type KeptNatsServer } from './nats-keeper.ts';

describe('keepNatsServer', () => {
  let folder: string;
  let server: KeptNatsServer | undefined;
  let bus: Bus | undefined;
  let told: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-keeper-'));
    told = [];
  });
  afterEach(async () => {
    await bus?.close();
    await server?.stop();
    server = bus = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function start(storeDir: string, silenceMs?: number): Promise<{ server: KeptNatsServer; bus: Bus }> {
    server = await keepNatsServer({
      storeDir,
      log: silentLogger(),
      onTrouble: (text) => told.push(text),
      ...(silenceMs !== undefined && { silenceMs }),
    });
    bus = await connectBus({ servers: server.url, name: 'test', callTimeoutMs: 30_000 });
    await bus.ensureTopology();
    await bus.publish('event.a.b', Uint8Array.of(1), { id: '1' });
    return { server, bus };
  }

  /** The same connection goes on, and what was stored before is there. */
  async function goesOn(running: { server: KeptNatsServer; bus: Bus }): Promise<void> {
    await running.bus.publish('event.a.c', Uint8Array.of(2), { id: '2' });
    expect((await running.bus.last('EVENTS', 'event.a.b'))?.data).toEqual(Uint8Array.of(1));
    expect((await running.bus.last('EVENTS', 'event.a.c'))?.data).toEqual(Uint8Array.of(2));
  }

  it('starts a killed one again, where its clients find it, as often as it is killed', async () => {
    const running = await start(folder);
    for (const restarts of [1, 2]) {
      process.kill(running.server.pid!, 'SIGKILL');
      await expect.poll(() => running.server.restarts).toBe(restarts);
      await goesOn(running);
    }
    expect(told).toEqual(
      Array(2).fill(['nats-server ended by itself (SIGKILL); starting it again', 'nats-server runs again']).flat(),
    );
  }, 60_000);

  it('starts one again that answers nothing', async () => {
    const running = await start(folder, 2_000);
    process.kill(running.server.pid!, 'SIGSTOP');
    await expect.poll(() => running.server.restarts, { timeout: 30_000 }).toBe(1);
    expect(told[0]).toMatch(/^nats-server has not answered for \d+ s; starting it again$/);
    await goesOn(running);
  }, 60_000);

  it('leaves one that is stopped on purpose alone', async () => {
    const running = await start(folder);
    const { pid } = running.server;
    await running.bus.close();
    await running.server.stop();
    await running.server.stop();
    expect(() => process.kill(pid!, 0)).toThrow();
    expect(told).toEqual([]);
  }, 30_000);

  it('gives up on one that cannot be started, and says why', async () => {
    const running = await start(folder);
    const missing = join(folder, 'no-server');
    const before = process.env['NATS_SERVER'];
    process.env['NATS_SERVER'] = missing;
    try {
      process.kill(running.server.pid!, 'SIGKILL');
      expect(await running.server.failed).toMatchObject({ code: 'failed_precondition', field: 'NATS_SERVER' });
      expect(running.server.pid).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env['NATS_SERVER'];
      else process.env['NATS_SERVER'] = before;
    }
  }, 30_000);

  it('waits for room on a full disk, says so, and loses nothing', async ({ skip }) => {
    const disk = mountSmallDisk(join(folder, 'disk'), 160);
    if (disk === undefined) return skip('a small disk can only be mounted as root');
    try {
      const running = await start(join(disk.path, 'nats'));
      disk.fill();
      // Whether an attempt on the full disk is refused or hangs is the server's business; it must not be taken for stored.
      const attempt = running.bus.publish('event.a.full', new Uint8Array(100_000), { id: 'full' }).catch(() => undefined);
      await expect.poll(() => told.length, { timeout: 30_000 }).toBe(2);
      expect(told[0]).toContain(`the disk of ${join(disk.path, 'nats')} is full and nats-server does not answer`);
      expect(told[1]).toMatch(/^waiting for room: the disk of \S+ has 0 MiB free, and 64 MiB are needed; nothing is lost/);
      expect(running.server.pid).toBeUndefined();
      disk.clear();
      await expect.poll(() => running.server.restarts, { timeout: 30_000 }).toBe(1);
      await attempt;
      await goesOn(running);
      await running.bus.close();
      await running.server.stop();
    } finally {
      await server?.stop();
      disk.unmount();
    }
  }, 90_000);
});
