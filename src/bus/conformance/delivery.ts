import { expect } from 'vitest';
import type { BusMessage } from '../bus.ts';
import type { BusHarness } from './harness.ts';
import { Collected, bytes, eventually, failure, messageText } from './harness.ts';
import { suite } from './suite.ts';

/** Durable consumers: sharing, redelivery, bounds, stopping. */
export function describeDelivery(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: consumers`, start, (test) => {
    test('a work queue delivers each message once, and drops it when acked', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume({ stream: 'ROLLOUTS', durable: 'once', filter: 'rollout.once' }, async (m) => {
        await m.ack();
        got.add(m);
      });
      for (let i = 0; i < 5; i++)
        await bus.publish('rollout.once', bytes(`${i}`), { id: `once-${i}`, headers: { trace: `t${i}` } });
      const messages = await got.count(5);
      expect(messages.map(messageText)).toEqual(['0', '1', '2', '3', '4']);
      expect(messages[2]).toMatchObject({ subject: 'rollout.once', id: 'once-2', headers: { trace: 't2' }, deliveryCount: 1 });
      await eventually(harness.clock, async () => (await bus.streamState('ROLLOUTS', 'rollout.once')).messages === 0, 'the acks');
      expect(consumer.inFlight).toBe(0);
      await consumer.stop();
    });

    test('consumers of one durable share its work and hold no more than their bound', async ({ bus, harness }) => {
      const other = (await harness.connect()).bus;
      const options = { stream: 'ROLLOUTS', durable: 'share', filter: 'rollout.share', maxInFlight: 3 } as const;
      const got = new Collected<{ by: string; message: BusMessage }>(harness.clock);
      const a = await bus.consume(options, (message) => got.add({ by: 'a', message }));
      const b = await other.consume(options, (message) => got.add({ by: 'b', message }));
      for (let i = 0; i < 12; i++) await bus.publish('rollout.share', bytes(`${i}`), { id: `share-${i}` });
      await got.count(6);
      expect([a.inFlight, b.inFlight]).toEqual([3, 3]);
      await eventually(harness.clock, async () => (await a.pending()) === 6, 'the rest to wait on the server');
      let next = 0;
      while (next < 12) {
        await got.count(next + 1);
        await got.items[next++]!.message.ack();
        expect(Math.max(a.inFlight, b.inFlight)).toBeLessThanOrEqual(3);
      }
      expect(new Set(got.items.map((i) => messageText(i.message))).size).toBe(12);
      expect(new Set(got.items.map((i) => i.by)).size).toBe(2);
      await Promise.all([a.stop(), b.stop()]);
    });

    test('of many acks at once each is confirmed', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      for (let i = 0; i < 50; i++) await bus.publish('group.crowd', bytes(`${i}`), { id: `crowd-${i}` });
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'crowd', filter: 'group.crowd' }, got.add);
      const messages = [...(await got.count(50))];
      // One is asked for twice, and the order is not that of delivery.
      await Promise.all([...messages.slice(25), ...messages.slice(0, 26)].map((message) => message.ack()));
      expect(await bus.durableState('GROUPS', 'crowd')).toMatchObject({ pending: 0, ackPending: 0 });
      expect((await bus.streamState('GROUPS', 'group.crowd')).messages).toBe(0);
      await consumer.stop();
    });

    test('a consumer takes more at once, or fewer, when its limit changes, and hands nothing back', async ({ bus, harness }) => {
      const options = { stream: 'ROLLOUTS', durable: 'pace', filter: 'rollout.pace', maxInFlight: 1 } as const;
      const got = new Collected<BusMessage>(harness.clock);
      for (let i = 0; i < 20; i++) await bus.publish('rollout.pace', bytes(`${i}`), { id: `pace-${i}` });
      const consumer = await bus.consume(options, got.add);
      await got.count(1);
      expect(consumer.inFlight).toBe(1);
      consumer.limit(4);
      await got.count(4);
      expect(consumer.inFlight).toBe(4);
      consumer.limit(1);
      for (let settled = 0; settled < 20; settled++) {
        await got.count(settled + 1);
        // What was asked for before the limit fell may still come, no more than that.
        expect(consumer.inFlight).toBeLessThanOrEqual(settled < 4 ? 4 : 1);
        await got.items[settled]!.ack();
      }
      expect(got.items.map((m) => m.deliveryCount)).toEqual(Array(20).fill(1));
      await consumer.stop();
    });

    test('messages wait while those held have maxBytesInFlight', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const options = { stream: 'GROUPS', durable: 'heavy', filter: 'group.heavy', maxBytesInFlight: 2.5 * 1024 * 1024 } as const;
      const size = 700 * 1024;
      for (let i = 0; i < 12; i++) await bus.publish('group.heavy', new Uint8Array(size).fill(i), { id: `heavy-${i}` });
      const consumer = await bus.consume(options, got.add);
      for (let settled = 0; settled < 12; settled++) {
        await got.count(settled + 1);
        expect(consumer.inFlight * size).toBeLessThanOrEqual(options.maxBytesInFlight + size);
        await got.items[settled]!.ack();
      }
      expect(got.items.map((m) => m.data[0])).toEqual(Array.from({ length: 12 }, (_, i) => i));
      await consumer.stop();
    });

    test('a message that alone has more than maxBytesInFlight is taken by whoever holds nothing', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const options = { stream: 'GROUPS', durable: 'huge', filter: 'group.huge', maxBytesInFlight: 1000 } as const;
      for (const [i, size] of [10, 5000, 20, 900, 5000].entries())
        await bus.publish('group.huge', new Uint8Array(size), { id: `huge-${i}` });
      const consumer = await bus.consume(options, got.add);
      for (let settled = 0; settled < 5; settled++) {
        await got.count(settled + 1);
        await got.items[settled]!.ack();
      }
      expect(got.items.map((m) => m.data.length)).toEqual([10, 5000, 20, 900, 5000]);
      await consumer.stop();
    });

    test('a durable tells what it has before it, whether someone consumes it or not', async ({ bus, harness }) => {
      const options = { stream: 'GROUPS', durable: 'told', filter: 'group.told', maxInFlight: 2 } as const;
      expect(await bus.durableState('GROUPS', 'told')).toBeUndefined();
      await bus.ensureDurable(options);
      for (let i = 0; i < 5; i++) await bus.publish('group.told', bytes(`${i}`), { id: `told-${i}` });
      expect(await bus.durableState('GROUPS', 'told')).toMatchObject({ pending: 5, ackPending: 0 });
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume(options, got.add);
      await got.count(2);
      expect(await bus.durableState('GROUPS', 'told')).toMatchObject({ pending: 3, ackPending: 2 });
      for (let i = 0; i < 5; i++) {
        await got.count(i + 1);
        await got.items[i]!.ack();
      }
      expect(await bus.durableState('GROUPS', 'told')).toMatchObject({ pending: 0, ackPending: 0 });
      await consumer.stop();
    });

    test('maxAckPending bounds all consumers of a durable together', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const options = { stream: 'GROUPS', durable: 'capped', filter: 'group.capped', maxAckPending: 2 } as const;
      const consumer = await bus.consume(options, got.add);
      for (let i = 0; i < 5; i++) await bus.publish('group.capped', bytes(`${i}`), { id: `capped-${i}` });
      await got.count(2);
      await eventually(harness.clock, async () => (await consumer.pending()) === 3, 'three to wait');
      expect(consumer.inFlight).toBe(2);
      for (let i = 0; i < 5; i++) {
        await got.count(i + 1);
        await got.items[i]!.ack();
      }
      await consumer.stop();
    });

    test('nak brings a message again, after its delay', async ({ bus, harness }) => {
      const got = new Collected<{ count: number; at: number }>(harness.clock);
      const consumer = await bus.consume({ stream: 'ROLLOUTS', durable: 'nak', filter: 'rollout.nak' }, async (m) => {
        got.add({ count: m.deliveryCount, at: harness.clock.monotonic() });
        if (m.deliveryCount === 1) m.nak();
        else if (m.deliveryCount === 2) m.nak(300);
        else await m.ack();
      });
      await bus.publish('rollout.nak', bytes('x'), { id: 'nak' });
      const [first, second, third] = await got.count(3);
      expect([first!.count, second!.count, third!.count]).toEqual([1, 2, 3]);
      expect(third!.at - second!.at).toBeGreaterThanOrEqual(290);
      await consumer.stop();
    });

    test('a handler that throws gets its message again', async ({ bus, harness }) => {
      const got = new Collected<number>(harness.clock);
      const consumer = await bus.consume({ stream: 'ROLLOUTS', durable: 'throw', filter: 'rollout.throw' }, async (m) => {
        got.add(m.deliveryCount);
        if (m.deliveryCount === 1) throw new Error('no');
        await m.ack();
      });
      await bus.publish('rollout.throw', bytes('x'), { id: 'throw' });
      expect(await got.count(2)).toEqual([1, 2]);
      await consumer.stop();
    });

    test('a message held longer than the ack wait stays with its handler', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'hold', filter: 'group.hold', ackWaitMs: 600 }, got.add);
      await bus.publish('group.hold', bytes('x'), { id: 'hold' });
      const [message] = await got.count(1);
      await harness.clock.sleep(2000);
      expect(got.items).toHaveLength(1);
      await message!.ack();
      await eventually(harness.clock, async () => (await bus.streamState('GROUPS', 'group.hold')).messages === 0, 'the ack');
      await consumer.stop();
    });

    test('what a lost connection held comes to another after the ack wait', async ({ bus, harness }) => {
      const lost = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'lost', filter: 'group.lost', ackWaitMs: 600, maxInFlight: 4 } as const;
      const first = new Collected<BusMessage>(harness.clock);
      await lost.bus.consume(options, first.add);
      for (let i = 0; i < 4; i++) await bus.publish('group.lost', bytes(`${i}`), { id: `lost-${i}` });
      await first.count(4);
      lost.cut();
      const second = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume(options, async (m) => {
        await m.ack();
        second.add(m);
      });
      const again = await second.count(4);
      expect(again.map(messageText).sort()).toEqual(['0', '1', '2', '3']);
      expect(again.map((m) => m.deliveryCount)).toEqual([2, 2, 2, 2]);
      await consumer.stop();
    });

    test('an interest stream keeps a message until every durable has acked it', async ({ bus, harness }) => {
      const options = { stream: 'SCORED', filter: 'scored.two.>' } as const;
      await bus.ensureDurable({ ...options, durable: 'two-writer' });
      await bus.ensureDurable({ ...options, durable: 'two-server' });
      await bus.publish('scored.two.train', bytes('x'), { id: 'two-1' });
      const left = async (): Promise<number> => (await bus.streamState('SCORED', 'scored.two.>')).messages;
      const got = new Collected<BusMessage>(harness.clock);
      const writer = await bus.consume({ ...options, durable: 'two-writer' }, got.add);
      const server = await bus.consume({ ...options, durable: 'two-server' }, got.add);
      await got.count(2);
      expect(await left()).toBe(1);
      await got.items[0]!.ack();
      expect(await left()).toBe(1);
      await got.items[1]!.ack();
      await eventually(harness.clock, async () => (await left()) === 0, 'both acks');
      await Promise.all([writer.stop(), server.stop()]);
      await bus.publish('scored.two.train', bytes('y'), { id: 'two-2' });
      expect(await left()).toBe(1);
      await bus.deleteDurable('SCORED', 'two-writer');
      await bus.deleteDurable('SCORED', 'two-writer');
      expect(await left()).toBe(1);
      await bus.deleteDurable('SCORED', 'two-server');
      await eventually(harness.clock, async () => (await left()) === 0, 'the last interest to go');
    });

    test('stop hands back what is not settled', async ({ bus, harness }) => {
      const options = { stream: 'ROLLOUTS', durable: 'stop', filter: 'rollout.stop' } as const;
      const first = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume(options, first.add);
      await bus.publish('rollout.stop', bytes('x'), { id: 'stop' });
      await first.count(1);
      await consumer.stop();
      expect(consumer.inFlight).toBe(0);
      const second = new Collected<BusMessage>(harness.clock);
      const next = await bus.consume(options, async (m) => {
        await m.ack();
        second.add(m);
      });
      expect((await second.count(1)).map((m) => m.id)).toEqual(['stop']);
      await next.stop();
    });

    test('stop waits for running handlers, but not for ever', async ({ bus, harness }) => {
      const started = new Collected<BusMessage>(harness.clock);
      const options = { stream: 'ROLLOUTS', durable: 'bounded', filter: 'rollout.bounded' } as const;
      const consumer = await bus.consume(options, async (m) => {
        started.add(m);
        if (messageText(m) === 'short') {
          await harness.clock.sleep(100);
          await m.ack();
        } else await new Promise(() => {});
      });
      await bus.publish('rollout.bounded', bytes('short'), { id: 'short' });
      await bus.publish('rollout.bounded', bytes('endless'), { id: 'endless' });
      await started.count(2);
      const from = harness.clock.monotonic();
      await consumer.stop(500);
      expect(harness.clock.monotonic() - from).toBeGreaterThanOrEqual(490);
      expect(harness.clock.monotonic() - from).toBeLessThan(3000);
      expect((await bus.streamState('ROLLOUTS', 'rollout.bounded')).messages).toBe(1);
      await bus.purge('ROLLOUTS', 'rollout.bounded');
    });

    test('overlapping durables on a work queue, and a durable with another filter, are refused', async ({ bus }) => {
      await bus.ensureDurable({ stream: 'GROUPS', durable: 'overlap', filter: 'group.overlap.*' });
      const second = await failure(bus.ensureDurable({ stream: 'GROUPS', durable: 'overlap-2', filter: 'group.overlap.a' }));
      expect(second).toMatchObject({ code: 'failed_precondition', field: 'filter' });
      const changed = await failure(bus.ensureDurable({ stream: 'GROUPS', durable: 'overlap', filter: 'group.other' }));
      expect(changed).toMatchObject({ code: 'failed_precondition', field: 'filter' });
      await bus.ensureDurable({
        stream: 'GROUPS',
        durable: 'overlap',
        filter: 'group.overlap.*',
        ackWaitMs: 5000,
        maxDeliver: 7,
      });
      await bus.deleteDurable('GROUPS', 'overlap');
    });

    test('a consumer goes on when its durable was deleted and made again', async ({ bus, harness }) => {
      const options = { stream: 'ROLLOUTS', durable: 'reborn', filter: 'rollout.reborn' } as const;
      const got = new Collected<string>(harness.clock);
      const first = await bus.consume(options, async (m) => {
        await m.ack();
        got.add(messageText(m));
      });
      await bus.publish('rollout.reborn', bytes('1'), { id: 'reborn-1' });
      await got.count(1);
      await first.stop();
      await bus.deleteDurable('ROLLOUTS', 'reborn');
      await bus.publish('rollout.reborn', bytes('2'), { id: 'reborn-2' });
      const second = await bus.consume(options, async (m) => {
        await m.ack();
        got.add(messageText(m));
      });
      expect(await got.count(2)).toEqual(['1', '2']);
      await second.stop();
    });
  });
}
