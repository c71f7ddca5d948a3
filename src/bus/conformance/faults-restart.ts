import { expect } from 'vitest';
import type { BusMessage } from '../bus.ts';
import type { FaultHarness } from './faults-harness.ts';
import { Collected, bytes, collect, eventually, failure, messageText, text } from './harness.ts';
import { suite } from './suite.ts';

/** Within this time a server writes down how far its durables are, in ms. */
const WRITTEN_MS = 500;

/** A server that is killed and started again on its files. */
export function describeRestart(name: string, start: () => Promise<FaultHarness>): void {
  suite(`${name}: a server that is killed and started again`, start, (test) => {
    test('keeps what it acknowledged, and its numbers', async ({ bus, harness }) => {
      const acks = [];
      for (let i = 0; i < 20; i++) acks.push(await bus.publish('event.kept.a', bytes(`${i}`), { id: `kept-${i}` }));
      const before = await bus.streamState('EVENTS');
      await harness.restartServer();
      const stored = await collect(bus.read('EVENTS', 'event.kept.>'));
      expect(stored.map(({ data, sequence }) => [text(data), sequence])).toEqual(
        acks.map(({ sequence }, i) => [`${i}`, sequence]),
      );
      expect((await bus.streamState('EVENTS')).lastSequence).toBe(before.lastSequence);
      const next = await bus.publish('event.kept.a', bytes('next'), { id: 'kept-next' });
      expect(next).toEqual({ sequence: before.lastSequence + 1, duplicate: false });
    });

    test('remembers the ids of messages that it has, and forgets those of messages that are gone', async ({ bus, harness }) => {
      const work = { stream: 'GROUPS', durable: 'ids', filter: 'group.ids' } as const;
      await bus.publish('group.ids', bytes('done'), { id: 'ids-done' });
      const got = new Collected<string>(harness.clock);
      const consumer = await bus.consume(work, async (message) => {
        await message.ack();
        got.add(messageText(message));
      });
      await got.count(1);
      await consumer.stop();
      const there = await bus.publish('group.ids', bytes('there'), { id: 'ids-there' });
      expect((await bus.publish('group.ids', bytes('done'), { id: 'ids-done' })).duplicate).toBe(true);
      await harness.restartServer();
      expect(await bus.publish('group.ids', bytes('there'), { id: 'ids-there' })).toEqual({ ...there, duplicate: true });
      expect((await bus.publish('group.ids', bytes('done'), { id: 'ids-done' })).duplicate).toBe(false);
      await bus.purge('GROUPS', 'group.ids');
      await bus.deleteDurable('GROUPS', 'ids');
    });

    test('keeps durables with what they have before them', async ({ bus, harness }) => {
      const options = { stream: 'GROUPS', durable: 'floor', filter: 'group.floor', maxInFlight: 3, ackWaitMs: 20_000 } as const;
      const got = new Collected<BusMessage>(harness.clock);
      let resets = 0;
      const consumer = await bus.consume({ ...options, onReset: () => void (resets += 1) }, got.add);
      for (let i = 0; i < 6; i++) await bus.publish('group.floor', bytes(`${i}`), { id: `floor-${i}` });
      await got.count(3);
      await got.items[1]!.ack();
      await got.count(4);
      const before = (await bus.durableState('GROUPS', 'floor'))!;
      expect(before).toMatchObject({ pending: 2, ackPending: 3 });
      await harness.clock.sleep(WRITTEN_MS);
      await harness.restartServer();
      // What is held over the restart stays with its handler, and can be acknowledged.
      for (const message of [0, 2, 3].map((i) => got.items[i]!)) await message.ack();
      for (let i = 4; i < 6; i++) await (await got.count(i + 1))[i]!.ack();
      expect(got.items.map((message) => [messageText(message), message.deliveryCount])).toEqual(
        ['0', '1', '2', '3', '4', '5'].map((one) => [one, 1]),
      );
      const after = await bus.durableState('GROUPS', 'floor');
      expect(after).toMatchObject({ created: before.created, pending: 0, ackPending: 0 });
      expect(resets).toBe(0);
      await consumer.stop();
      // The stream may have the one again that was acknowledged before the restart; it is given to nobody.
      expect(await bus.purge('GROUPS', 'group.floor')).toBeLessThanOrEqual(1);
    });

    test('may give out again what was acknowledged just before, and nothing else', async ({ bus, harness }) => {
      const options = { stream: 'GROUPS', durable: 'just', filter: 'group.just', ackWaitMs: 1500 } as const;
      const got = new Collected<string>(harness.clock);
      const kept = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume(options, async (message) => {
        if (messageText(message) === 'kept') return kept.add(message);
        await message.ack();
        got.add(messageText(message));
      });
      await bus.publish('group.just', bytes('before'), { id: 'just-before' });
      await bus.publish('group.just', bytes('kept'), { id: 'just-kept' });
      await Promise.all([got.count(1), kept.count(1)]);
      await harness.clock.sleep(WRITTEN_MS);
      await bus.publish('group.just', bytes('just'), { id: 'just-just' });
      await got.count(2);
      await harness.restartServer();
      await harness.clock.sleep(2 * options.ackWaitMs);
      expect(['before,just', 'before,just,just']).toContain(got.items.join());
      expect(kept.items).toHaveLength(1);
      await kept.items[0]!.ack();
      // Whether the stream still has what was acknowledged or not: it is given to nobody. A server may take an ack wait to notice that a message
      // is gone whose ack it has forgotten.
      const isDone = async (): Promise<boolean> => {
        const { pending, ackPending } = (await bus.durableState('GROUPS', 'just'))!;
        return pending === 0 && ackPending === 0;
      };
      await eventually(harness.clock, isDone, 'the durable to be done');
      await consumer.stop();
      await bus.purge('GROUPS', 'group.just');
      await bus.deleteDurable('GROUPS', 'just');
    });

    test('gives out again what it had given to a connection that is gone', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const options = { stream: 'GROUPS', durable: 'gone', filter: 'group.gone', ackWaitMs: 1000 } as const;
      const first = new Collected<BusMessage>(harness.clock);
      await wire.bus.consume(options, first.add);
      for (const id of ['a', 'b']) await bus.publish('group.gone', bytes(id), { id: `gone-${id}` });
      await first.count(2);
      await harness.clock.sleep(WRITTEN_MS);
      wire.cut();
      await harness.restartServer();
      const second = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume(options, async (message) => {
        await message.ack();
        second.add(message);
      });
      const again = await second.count(2);
      expect(again.map((message) => [messageText(message), message.deliveryCount]).sort()).toEqual([
        ['a', 2],
        ['b', 2],
      ]);
      await consumer.stop();
    });

    test('keeps values, revisions and what compares them', async ({ bus, harness }) => {
      const jobs = bus.kv('jobs');
      const first = await jobs.create('kept.a', bytes('1'));
      const second = await jobs.update('kept.a', bytes('2'), first);
      const gone = await jobs.put('kept.gone', bytes('1'));
      await jobs.delete('kept.gone', gone);
      const heard = new Collected<string>(harness.clock);
      const stop = await jobs.watch('kept.*', (c) => heard.add(`${c.key}=${c.value && text(c.value)} at ${c.revision}`));
      await harness.restartServer();
      expect(await jobs.get('kept.a')).toMatchObject({ revision: second });
      expect(await jobs.keys('kept.*')).toEqual(['kept.a']);
      expect((await failure(jobs.update('kept.a', bytes('3'), first))).code).toBe('aborted');
      expect((await failure(jobs.create('kept.a', bytes('3')))).code).toBe('already_exists');
      const third = await jobs.update('kept.a', bytes('3'), second);
      expect(third).toBeGreaterThan(gone + 1);
      expect(await jobs.create('kept.gone', bytes('2'))).toBe(third + 1);
      await heard.until(() => heard.items.at(-1) === `kept.gone=2 at ${third + 1}`, 'the changes after the restart');
      expect(heard.items).toEqual([`kept.a=2 at ${second}`, `kept.a=3 at ${third}`, `kept.gone=2 at ${third + 1}`]);
      stop();
    });

    test('lets values expire that were written before', async ({ bus, harness }) => {
      const nodes = bus.kv('nodes');
      await nodes.put('kept.expires', bytes('1'));
      await harness.restartServer();
      await eventually(harness.clock, async () => (await nodes.get('kept.expires')) === undefined, 'the expiry');
      await nodes.create('kept.expires', bytes('2'));
    });

    test('calls that were under way go through once', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const restarted = harness.restartServer();
      const work = Array.from({ length: 20 }, (_, i) => wire.bus.publish('event.under.a', bytes(`${i}`), { id: `under-${i}` }));
      const written = wire.bus.kv('jobs').create('under.a', bytes('1'));
      await Promise.all([...work, written, restarted]);
      const stored = await collect(bus.read('EVENTS', 'event.under.>'));
      expect(stored.map(({ data }) => Number(text(data))).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      expect(await bus.kv('jobs').get('under.a')).toMatchObject({ revision: await written });
    });

    test('an interest stream keeps what some durable still waits for', async ({ bus, harness }) => {
      const options = { stream: 'SCORED', filter: 'scored.kept.>' } as const;
      for (const durable of ['kept-a', 'kept-b']) await bus.ensureDurable({ ...options, durable });
      await bus.publish('scored.kept.train', bytes('x'), { id: 'kept-x' });
      const got = new Collected<string>(harness.clock);
      const take = async (durable: string): Promise<void> => {
        const consumer = await bus.consume({ ...options, durable }, async (message) => {
          await message.ack();
          got.add(durable);
        });
        await got.until(() => got.items.includes(durable), durable);
        await consumer.stop();
      };
      await take('kept-a');
      await harness.clock.sleep(WRITTEN_MS);
      await harness.restartServer();
      expect((await bus.streamState('SCORED', 'scored.kept.>')).messages).toBe(1);
      await take('kept-b');
      await eventually(
        harness.clock,
        async () => (await bus.streamState('SCORED', 'scored.kept.>')).messages === 0,
        'the message to go',
      );
      expect(got.items).toEqual(['kept-a', 'kept-b']);
      for (const durable of ['kept-a', 'kept-b']) await bus.deleteDurable('SCORED', durable);
    });
  });
}
