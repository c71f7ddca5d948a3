import { expect } from 'vitest';
import type { BusMessage } from '../bus.ts';
import type { FaultHarness } from './faults-harness.ts';
import { Collected, bytes, messageText } from './harness.ts';
import { suite } from './suite.ts';

const ACK_WAIT_MS = 1000;

/** Messages of durables over a wire that breaks. */
export function describeDeliveryFaults(name: string, start: () => Promise<FaultHarness>): void {
  suite(`${name}: deliveries over a bad wire`, start, (test) => {
    test('what a cut connection holds comes again after its ack wait, and the late ack of the first delivery counts', async (fixture) => {
      const { bus, harness } = fixture;
      const wire = await harness.connect();
      const options = {
        stream: 'GROUPS',
        durable: 'late',
        filter: 'group.late',
        ackWaitMs: ACK_WAIT_MS,
        maxInFlight: 1,
      } as const;
      const [first, second] = [new Collected<BusMessage>(harness.clock), new Collected<BusMessage>(harness.clock)];
      const one = await wire.bus.consume(options, first.add);
      await bus.publish('group.late', bytes('a'), { id: 'late-a' });
      const [early] = await first.count(1);
      wire.cut();
      const other = await bus.consume(options, second.add);
      const [again] = await second.count(1);
      expect([early!.deliveryCount, again!.deliveryCount, again!.sequence]).toEqual([1, 2, early!.sequence]);
      const acked = early!.ack();
      wire.heal();
      await acked;
      expect((await bus.streamState('GROUPS', 'group.late')).messages).toBe(0);
      expect(await bus.durableState('GROUPS', 'late')).toMatchObject({ ackPending: 0, pending: 0 });
      // Whoever has it now does not know, and is not contradicted.
      await again!.ack();
      expect([first.items.length, second.items.length]).toEqual([1, 1]);
      await Promise.all([one.stop(), other.stop()]);
    });

    test('a late nak of the first delivery may give the message to others, and leaves it with whoever has it now', async ({
      bus,
      harness,
    }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'nak', filter: 'group.nak', ackWaitMs: ACK_WAIT_MS, maxInFlight: 2 } as const;
      const [first, second] = [new Collected<BusMessage>(harness.clock), new Collected<BusMessage>(harness.clock)];
      const one = await wire.bus.consume({ ...options, maxInFlight: 1 }, first.add);
      await bus.publish('group.nak', bytes('a'), { id: 'nak-a' });
      const [early] = await first.count(1);
      wire.cut();
      const other = await bus.consume(options, second.add);
      await second.count(1);
      one.limit(1);
      wire.heal();
      await wire.bus.streamState('DLQ');
      early!.nak();
      await harness.clock.sleep(2 * ACK_WAIT_MS);
      expect(second.items.map(({ deliveryCount }) => deliveryCount)).toEqual([2]);
      // The third delivery goes to one of the two; the second does not get what it has.
      expect(['1', '1,3']).toContain(first.items.map(({ deliveryCount }) => deliveryCount).join());
      await second.items[0]!.ack();
      expect((await bus.streamState('GROUPS', 'group.nak')).messages).toBe(0);
      await first.items.at(-1)!.ack();
      await Promise.all([one.stop(), other.stop()]);
    });

    test('a message that is held over a short outage stays with its handler', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'over', filter: 'group.over', ackWaitMs: 3000 } as const;
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await wire.bus.consume(options, got.add);
      await bus.publish('group.over', bytes('a'), { id: 'over-a' });
      await got.count(1);
      wire.cut();
      await harness.clock.sleep(500);
      wire.heal();
      await wire.bus.streamState('DLQ');
      await harness.clock.sleep(4000);
      expect(got.items.map(({ deliveryCount }) => deliveryCount)).toEqual([1]);
      await got.items[0]!.ack();
      await consumer.stop();
    });

    test('a message that is held over a long outage, and that nobody else took, is not given to its handler again', async (fixture) => {
      const { bus, harness } = fixture;
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'long', filter: 'group.long', ackWaitMs: ACK_WAIT_MS } as const;
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await wire.bus.consume(options, got.add);
      await bus.publish('group.long', bytes('a'), { id: 'long-a' });
      await got.count(1);
      wire.cut();
      await harness.clock.sleep(2 * ACK_WAIT_MS);
      wire.heal();
      await bus.publish('group.long', bytes('b'), { id: 'long-b' });
      await got.count(2);
      await harness.clock.sleep(3 * ACK_WAIT_MS);
      expect(got.items.map((message) => [messageText(message), message.deliveryCount])).toEqual([
        ['a', 1],
        ['b', 1],
      ]);
      for (const message of got.items) await message.ack();
      expect((await bus.streamState('GROUPS', 'group.long')).messages).toBe(0);
      expect(await bus.durableState('GROUPS', 'long')).toMatchObject({ ackPending: 0, pending: 0 });
      await consumer.stop();
    });

    test('an ack whose confirmation is lost, or that falls into an outage, is said again', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'said', filter: 'group.said', ackWaitMs: 30_000 } as const;
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await wire.bus.consume(options, got.add);
      for (const id of ['said-a', 'said-b', 'said-c']) await bus.publish('group.said', bytes(id), { id });
      const [a, b, c] = await got.count(3);
      wire.loseAnswers(1);
      await a!.ack();
      wire.cut();
      const pending = b!.ack();
      await harness.clock.sleep(300);
      wire.heal();
      await pending;
      await c!.ack();
      expect((await bus.streamState('GROUPS', 'group.said')).messages).toBe(0);
      expect(await bus.durableState('GROUPS', 'said')).toMatchObject({ ackPending: 0 });
      expect(got.items.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 1, 1]);
      await consumer.stop();
    });

    test('an ack that nobody confirms in time is unavailable, and the message comes again', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = {
        stream: 'GROUPS',
        durable: 'mute',
        filter: 'group.mute',
        ackWaitMs: ACK_WAIT_MS,
        maxInFlight: 1,
      } as const;
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await wire.bus.consume(options, got.add);
      await bus.publish('group.mute', bytes('a'), { id: 'mute-a' });
      const [message] = await got.count(1);
      wire.cut();
      await expect(message!.ack()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
      wire.heal();
      const again = (await got.count(2))[1]!;
      expect(again.deliveryCount).toBe(2);
      await again.ack();
      await consumer.stop();
    });

    test('a delivery that is lost on its way counts, and comes again after the ack wait', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'way', filter: 'group.way', ackWaitMs: ACK_WAIT_MS } as const;
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await wire.bus.consume(options, got.add);
      await bus.streamState('DLQ');
      wire.loseAnswers(1);
      const from = harness.clock.monotonic();
      await bus.publish('group.way', bytes('a'), { id: 'way-a' });
      const [message] = await got.count(1);
      expect(message!.deliveryCount).toBe(2);
      expect(harness.clock.monotonic() - from).toBeGreaterThanOrEqual(ACK_WAIT_MS - 100);
      await message!.ack();
      await consumer.stop();
    });

    test('a consumer whose connection comes back goes on with what came meanwhile, in order', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'ROLLOUTS', durable: 'back', filter: 'rollout.back' } as const;
      const got = new Collected<string>(harness.clock);
      let resets = 0;
      const consumer = await wire.bus.consume({ ...options, onReset: () => void (resets += 1) }, async (message) => {
        await message.ack();
        got.add(`${messageText(message)}, delivery ${message.deliveryCount}`);
      });
      await bus.publish('rollout.back', bytes('0'), { id: 'back-0' });
      await got.count(1);
      wire.cut();
      // Until a server notices that a connection is gone, it goes on giving out messages over it.
      await harness.clock.sleep(200);
      for (const id of ['1', '2', '3']) await bus.publish('rollout.back', bytes(id), { id: `back-${id}` });
      await harness.clock.sleep(300);
      wire.heal();
      expect(await got.count(4)).toEqual(['0', '1', '2', '3'].map((one) => `${one}, delivery 1`));
      expect(resets).toBe(0);
      await consumer.stop();
    });

    test('the ack wait of what a cut connection holds began when its handler last said that it works', async ({
      bus,
      harness,
    }) => {
      const wire = await harness.connect();
      const ackWaitMs = 3000;
      const options = { stream: 'GROUPS', durable: 'works', filter: 'group.works', ackWaitMs } as const;
      const [first, second] = [new Collected<BusMessage>(harness.clock), new Collected<BusMessage>(harness.clock)];
      await bus.publish('group.works', bytes('a'), { id: 'works-a' });
      await wire.bus.consume(options, first.add);
      // It says so at every third of the ack wait.
      await harness.clock.sleep(1.8 * (ackWaitMs / 3));
      expect(first.items).toHaveLength(1);
      wire.cut();
      const from = harness.clock.monotonic();
      const consumer = await bus.consume(options, second.add);
      const [again] = await second.count(1);
      expect(harness.clock.monotonic() - from).toBeGreaterThan(0.6 * ackWaitMs);
      expect(harness.clock.monotonic() - from).toBeLessThan(ackWaitMs - 100);
      expect(again!.deliveryCount).toBe(2);
      await again!.ack();
      await consumer.stop();
    });

    test('a connection that is closed while it is cut hands nothing back', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'closed', filter: 'group.closed', ackWaitMs: 2000 } as const;
      const [first, second] = [new Collected<BusMessage>(harness.clock), new Collected<BusMessage>(harness.clock)];
      await wire.bus.consume(options, first.add);
      await bus.publish('group.closed', bytes('a'), { id: 'closed-a' });
      await first.count(1);
      wire.cut();
      const from = harness.clock.monotonic();
      const closed = wire.bus.close();
      const consumer = await bus.consume(options, second.add);
      const [again] = await second.count(1);
      expect(harness.clock.monotonic() - from).toBeGreaterThan(1000);
      expect(again!.deliveryCount).toBe(2);
      await again!.ack();
      await consumer.stop();
      wire.heal();
      await closed;
    });
  });
}
