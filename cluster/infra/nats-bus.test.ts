import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import type { BucketName, StreamName } from '../../src/protocol/names.ts';
import { CONFORMANCE_TOPOLOGY, busConformance } from '../../src/conformance/bus.ts';
import { Collected, bytes, eventually, failure, text, messageText } from '../../src/bus/conformance/harness.ts';
import { startProxy } from '../../src/bus/conformance/proxy.ts';
import type { Proxy } from '../../src/bus/conformance/proxy.ts';
import { hasFeature } from '../../src/bus/features.ts';
import { connectBus } from '../../src/protocol/connect.ts';
import { openJetStream } from '../../src/bus/nats/connection.ts';
import { readStored } from '../../src/bus/nats/reader.ts';
import { checkEcho, ensureStream } from '../../src/bus/nats/stream-config.ts';
import { systemClock } from '../../src/clock/system.ts';
import { startNatsServer } from './nats-server.ts';
import type { NatsServerProcess } from './nats-server.ts';

let folder: string;
let server: NatsServerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-bus-'));
  server = await startNatsServer({ storeDir: folder });
}, 30_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function deleteStream(name: string): Promise<void> {
  const link = await openJetStream({ servers: `127.0.0.1:${server.port}`, name: 'administrator' });
  await link.jsm.streams.delete(name);
  await link.nc.close();
}

busConformance('nats bus', async () => {
  const open: { bus: Bus; proxy: Proxy }[] = [];
  const harness = {
    clock: systemClock,
    async connect() {
      const proxy = await startProxy(server.port);
      const bus = await connectBus({
        servers: `127.0.0.1:${proxy.port}`,
        name: 'conformance',
        callTimeoutMs: 4000,
        ...CONFORMANCE_TOPOLOGY,
      });
      open.push({ bus, proxy });
      return { bus, cut: proxy.cut };
    },
    deleteStream: (name: StreamName) => deleteStream(name),
    deleteBucket: (name: BucketName) => deleteStream(`KV_${name}`),
    run: <T>(work: Promise<T>) => work,
    async stop() {
      // One whose wire was cut has nothing to hand back to.
      for (const { proxy } of open) proxy.mend();
      await Promise.all(open.map(({ bus }) => bus.close()));
      await Promise.all(open.map(({ proxy }) => proxy.close()));
    },
  };
  const { bus } = await harness.connect();
  await bus.ensureTopology();
  return harness;
});

function sameMap(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value);
}

describe('nats bus over a wire that breaks', () => {
  let proxy: Proxy;
  let bus: Bus;
  beforeAll(async () => {
    proxy = await startProxy(server.port);
    bus = await connectBus({ servers: `127.0.0.1:${proxy.port}`, name: 'broken', callTimeoutMs: 3000, ...CONFORMANCE_TOPOLOGY });
    await bus.ensureTopology();
  });
  afterAll(async () => {
    proxy.mend();
    await bus.close();
    await proxy.close();
  }, 30_000);

  it('calls wait for the connection to come back, within their bound', async () => {
    proxy.cut();
    const late = await failure(bus.publish('event.wire.a', bytes('never?'), { id: 'wire-1' }));
    expect(late).toMatchObject({ code: 'unavailable', retryable: true });
    const pending = bus.publish('event.wire.a', bytes('after'), { id: 'wire-2' });
    proxy.mend();
    expect((await pending).duplicate).toBe(false);
    expect(text((await bus.last('EVENTS', 'event.wire.a'))!.data)).toBe('after');
  }, 30_000);

  it('a publish and an ack that were under way go through once', async () => {
    const got = new Collected<BusMessage>(systemClock);
    const consumer = await bus.consume({ stream: 'GROUPS', durable: 'wire', filter: 'group.wire', ackWaitMs: 2000 }, got.add);
    await bus.publish('group.wire', bytes('0'), { id: 'under-0' });
    const [message] = await got.count(1);
    const work = [message!.ack()];
    for (let i = 1; i < 20; i++) work.push(bus.publish('group.wire', bytes(`${i}`), { id: `under-${i}` }).then(() => {}));
    proxy.cut();
    proxy.mend();
    await Promise.all(work);
    await got.until(() => new Set(got.items.map(messageText)).size === 20, 'every message');
    for (const item of got.items.slice(1)) await item.ack();
    await eventually(systemClock, async () => (await bus.streamState('GROUPS', 'group.wire')).messages === 0, 'the acks');
    await consumer.stop();
  }, 30_000);

  it('acks of many at once, with the wire cut under them, are all there when they are confirmed', async () => {
    for (let turn = 0; turn < 4; turn++) {
      const got = new Collected<BusMessage>(systemClock);
      const options = { stream: 'GROUPS', durable: 'many', filter: 'group.many', maxInFlight: 200, ackWaitMs: 60_000 } as const;
      for (let i = 0; i < 100; i++) await bus.publish('group.many', bytes(`${i}`), { id: `many-${turn}-${i}` });
      const consumer = await bus.consume(options, got.add);
      const messages = [...(await got.count(100))];
      const acks = messages.map((message) => message.ack());
      // At once, after the bytes are on the wire, while answers come.
      if (turn > 0) await new Promise((resolve) => setTimeout(resolve, turn - 1));
      proxy.cut();
      proxy.mend();
      await Promise.all(acks);
      expect(await bus.durableState('GROUPS', 'many')).toMatchObject({ ackPending: 0 });
      expect((await bus.streamState('GROUPS', 'group.many')).messages).toBe(0);
      await consumer.stop();
    }
  }, 60_000);

  it('a worker, who makes no consumer, knows the newest of every key, also of those written and deleted while it was away', async () => {
    const worker = await connectBus({
      servers: `127.0.0.1:${proxy.port}`,
      name: 'worker',
      worker: true,
      callTimeoutMs: 3000,
      ...CONFORMANCE_TOPOLOGY,
    });
    const other = await connectBus({ servers: server.url, name: 'other', ...CONFORMANCE_TOPOLOGY });
    const kv = other.kv('agents');
    const seen = new Map<string, string>();
    const newest = new Map<string, string>();
    const put = async (key: string, value: string): Promise<void> => {
      newest.set(key, value);
      await kv.put(key, bytes(value));
    };
    for (let i = 0; i < 5; i++) await put(`key-${i}`, 'first');
    const stop = await worker.kv('agents').watch('>', ({ key, value }) => {
      if (value === undefined) seen.delete(key);
      else seen.set(key, text(value));
    });
    expect(seen).toEqual(newest);
    for (let i = 0; i < 100; i++) await put(`key-${i % 7}`, `${i}`);
    await eventually(systemClock, () => Promise.resolve(sameMap(seen, newest)), 'what was written');
    proxy.cut();
    for (let i = 0; i < 40; i++) await put(`key-${i % 9}`, `away ${i}`);
    await kv.delete('key-3');
    newest.delete('key-3');
    proxy.mend();
    await eventually(systemClock, () => Promise.resolve(sameMap(seen, newest)), 'what was written while it was away');
    stop();
    await worker.close();
    await other.close();
  }, 30_000);

  it('a watcher misses nothing of what happened while it was away', async () => {
    const seen = new Map<string, string | undefined>();
    const heard = new Collected<string>(systemClock);
    const stop = await bus.kv('nodes').watch('away.*', (change) => {
      seen.set(change.key, change.value === undefined ? undefined : text(change.value));
      heard.add(change.key);
    });
    const other = await connectBus({ servers: server.url, name: 'other', ...CONFORMANCE_TOPOLOGY });
    await other.kv('nodes').put('away.expires', bytes('1'));
    await other.kv('nodes').put('away.deleted', bytes('1'));
    await heard.count(2);
    proxy.cut();
    await other.kv('nodes').delete('away.deleted');
    await eventually(systemClock, async () => (await other.kv('nodes').keys('away.*')).length === 0, 'the expiry');
    await other.kv('nodes').put('away.new', bytes('2'));
    proxy.mend();
    await heard.until(() => seen.get('away.new') === '2', 'the new key');
    await heard.until(
      () => seen.size === 3 && seen.get('away.expires') === undefined && seen.get('away.deleted') === undefined,
      'the rest',
    );
    stop();
    await other.close();
  }, 30_000);

  it('a consumer whose durable was deleted under it makes it again', async () => {
    const got = new Collected<string>(systemClock);
    const options = { stream: 'ROLLOUTS', durable: 'under', filter: 'rollout.under' } as const;
    const consumer = await bus.consume(options, async (m) => {
      await m.ack();
      got.add(messageText(m));
    });
    await bus.publish('rollout.under', bytes('1'), { id: 'del-1' });
    await got.count(1);
    await bus.deleteDurable('ROLLOUTS', 'under');
    await bus.publish('rollout.under', bytes('2'), { id: 'del-2' });
    expect(await got.count(2)).toEqual(['1', '2']);
    await consumer.stop();
  }, 30_000);
});

describe('nats bus and its server', () => {
  it('outlives a restart of the server: consumers, watchers and calls go on', async () => {
    const own = await mkdtemp(join(tmpdir(), 'millrace-restart-'));
    let nats = await startNatsServer({ storeDir: own });
    const bus = await connectBus({ servers: nats.url, name: 'restart', ...CONFORMANCE_TOPOLOGY });
    await bus.ensureTopology();
    const got = new Collected<string>(systemClock);
    let resets = 0;
    const options = { stream: 'GROUPS', durable: 'reward', filter: 'group.>', onReset: () => (resets += 1) } as const;
    const consumer = await bus.consume(options, async (m) => {
      await m.ack();
      got.add(messageText(m));
    });
    const made = async (): Promise<(string | undefined)[]> => [
      (await bus.durableState('GROUPS', 'reward'))?.created,
      ...(await bus.inspectTopology()).map(({ name, created }) => `${name} ${created}`),
    ];
    const before = await made();
    const seen = new Collected<string | undefined>(systemClock);
    await bus.kv('jobs').watch('>', (change) => seen.add(change.value === undefined ? undefined : text(change.value)));
    await bus.publish('group.a', bytes('before'), { id: '1' });
    const revision = await bus.kv('jobs').put('a', bytes('before'));
    await Promise.all([got.count(1), seen.count(1)]);
    process.kill(nats.pid, 'SIGKILL');
    await nats.exited;
    nats = await startNatsServer({ storeDir: own, port: nats.port });
    await bus.publish('group.a', bytes('after'), { id: '2' });
    await bus.kv('jobs').update('a', bytes('after'), revision);
    await got.until(() => got.items.includes('after'), 'the message after the restart');
    await seen.until(() => seen.items.includes('after'), 'the change after the restart');
    // The same streams and durables as before: nothing counts as made again.
    expect({ made: await made(), resets }).toEqual({ made: before, resets: 0 });
    await consumer.stop();
    await bus.close();
    await nats.stop();
    await rm(own, { recursive: true, force: true });
  }, 60_000);

  it('nobody listening is unavailable, within the bound', async () => {
    const from = performance.now();
    const error = await failure(connectBus({ servers: '127.0.0.1:1', name: 'nobody', connectTimeoutMs: 500 }));
    expect(error.code).toBe('unavailable');
    expect(performance.now() - from).toBeLessThan(5000);
  });

  it('a configuration field that the server drops is noticed by the echo check', async () => {
    const link = await openJetStream({ servers: server.url, name: 'echo' });
    const asked = { name: 'ECHO', subjects: ['echo.>'], storage: 'file', allow_msg_ttl: true } as const;
    try {
      if (hasFeature(link.serverVersion, 'messageTtl')) {
        await ensureStream(link, { ...asked, subjects: ['echo.>'] });
      } else {
        // The server makes the stream and says nothing.
        const info = await link.jsm.streams.add({ ...asked, subjects: ['echo.>'] });
        expect(info.config.allow_msg_ttl).toBeUndefined();
        const error = await failure(ensureStream(link, { ...asked, subjects: ['echo.>'] }));
        expect(error).toMatchObject({ code: 'failed_precondition', field: 'ECHO.allow_msg_ttl' });
      }
      await link.jsm.streams.delete('ECHO');
    } finally {
      await link.nc.close();
    }
  });

  it('a stream that somebody else made otherwise is refused, by field', async () => {
    const link = await openJetStream({ servers: server.url, name: 'echo' });
    try {
      await ensureStream(link, { name: 'OTHER', subjects: ['other.>'], storage: 'file', retention: 'limits', max_bytes: 1024 });
      await ensureStream(link, { name: 'OTHER', subjects: ['other.>'], storage: 'file', retention: 'limits', max_bytes: 2048 });
      expect((await link.jsm.streams.info('OTHER')).config.max_bytes).toBe(2048);
      const error = await failure(
        ensureStream(link, { name: 'OTHER', subjects: ['other.>'], storage: 'memory', retention: 'limits', max_bytes: 2048 }),
      );
      expect(error).toMatchObject({ code: 'failed_precondition', field: 'OTHER.storage' });
      expect(error.message).toMatch(/^stream OTHER exists with other settings.*: its storage is "file", not "memory"$/);
      expect(() => checkEcho({ name: 'X', max_age: 5 }, { name: 'X', max_age: 6 })).toThrow(
        'asked for max_age = 5, the server has 6',
      );
      await link.jsm.streams.delete('OTHER');
    } finally {
      await link.nc.close();
    }
  });

  it('a read whose last messages expire, or are purged, under it ends with what was there', async () => {
    const link = await openJetStream({ servers: server.url, name: 'vanishing' });
    try {
      await ensureStream(link, {
        name: 'GONE',
        subjects: ['gone.>'],
        storage: 'file',
        retention: 'limits',
        max_bytes: 1 << 20,
        allow_direct: true,
      });
      for (const subject of ['gone.a', 'gone.b', 'gone.c']) await link.js.publish(subject, bytes(subject));
      const get = link.js.consumers.get.bind(link.js.consumers);
      const purgeBelow = [3, 4];
      link.js.consumers.get = async (...wanted) => {
        const consumer = await get(...wanted);
        const info = consumer.info.bind(consumer);
        // The promise of pending messages is made, then broken.
        consumer.info = async (...how) => {
          const before = await info(...how);
          expect(before.num_pending).toBeGreaterThan(0);
          await link.jsm.streams.purge('GONE', { seq: purgeBelow.shift()! });
          return before;
        };
        return consumer;
      };
      const read = async (): Promise<string[]> => {
        const subjects = [];
        for await (const { subject } of readStored(link, 'GONE', { filter: 'gone.*' })) subjects.push(subject);
        return subjects;
      };
      expect(await read()).toEqual(['gone.c']);
      expect(await read()).toEqual([]);
      await link.jsm.streams.delete('GONE');
    } finally {
      await link.nc.close();
    }
  });
});
