import { expect } from 'vitest';
import type { BusMessage } from '../bus.ts';
import type { BusHarness } from './harness.ts';
import { Collected, bytes, eventually, failure, text, messageText } from './harness.ts';
import type { Fixture } from './suite.ts';
import { suite } from './suite.ts';

const created = async ({ bus }: Fixture, name: string): Promise<string | undefined> =>
  (await bus.inspectTopology()).find((part) => part.name === name)!.created;

/** Streams, buckets and durables that somebody deletes while they are used, and that are made again. */
export function describeRecreation(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: what is deleted and made again`, start, (test) => {
    test('a stream is missed, and is another one afterwards', async (fixture) => {
      const { bus, harness } = fixture;
      const before = await created(fixture, 'EVENTS');
      expect(before).toBeDefined();
      await bus.publish('event.gone.a', bytes('before'), { id: 'gone-1' });
      await harness.deleteStream('EVENTS');
      expect(await created(fixture, 'EVENTS')).toBeUndefined();
      expect(await failure(bus.last('EVENTS', 'event.gone.a'))).toMatchObject({ code: 'unavailable', retryable: true });
      expect(await bus.durableState('EVENTS', 'none')).toBeUndefined();
      await bus.ensureTopology();
      expect(await created(fixture, 'EVENTS')).not.toBe(before);
      expect(await bus.last('EVENTS', 'event.gone.a')).toBeUndefined();
      // It remembers no id.
      expect((await bus.publish('event.gone.a', bytes('after'), { id: 'gone-1' })).duplicate).toBe(false);
      expect(text((await bus.last('EVENTS', 'event.gone.a'))!.data)).toBe('after');
      expect((await bus.inspectTopology()).filter(({ problem }) => problem !== undefined)).toEqual([]);
    });

    test('consumers go on with the new stream, and what they held concerns nobody any more', async ({ bus, harness }) => {
      const { clock } = harness;
      // So that the messages of both have the same numbers.
      await harness.deleteStream('GROUPS');
      await bus.ensureTopology();
      const got = new Collected<BusMessage>(clock);
      let resets = 0;
      const options = { stream: 'GROUPS', durable: 'anew', filter: 'group.anew', ackWaitMs: 60_000 } as const;
      // The first one has its hands full, so that nothing tells it that the durable is gone.
      const onReset = (): void => void (resets += 1);
      const consumer = await bus.consume({ ...options, maxInFlight: 2, onReset }, got.add);
      for (const id of ['a', 'b']) await bus.publish('group.anew', bytes(id), { id });
      const [first, second] = await got.count(2);
      const before = (await bus.durableState('GROUPS', 'anew'))!;
      expect(before).toMatchObject({ filter: 'group.anew', ackPending: 2 });
      await harness.deleteStream('GROUPS');
      await bus.ensureTopology();
      await bus.publish('group.anew', bytes('c'), { id: 'c' });
      await eventually(clock, () => Promise.resolve(resets === 1), 'the reset');
      const third = (await got.count(3))[2]!;
      expect(messageText(third)).toBe('c');
      expect(third.sequence).toBe(first!.sequence);
      // Under this number the new durable knows another message.
      await first!.ack();
      second!.nak();
      expect(consumer.inFlight).toBe(1);
      const after = (await bus.durableState('GROUPS', 'anew'))!;
      expect(after).toMatchObject({ ackPending: 1 });
      expect(after.created).not.toBe(before.created);
      await third.ack();
      await eventually(clock, async () => (await bus.streamState('GROUPS')).messages === 0, 'the ack');
      await consumer.stop();
      expect([got.items.length, resets]).toEqual([3, 1]);
    });

    test('a durable that is deleted alone is made again by its consumer', async ({ bus, harness }) => {
      const { clock } = harness;
      const got = new Collected<BusMessage>(clock);
      let resets = 0;
      const options = { stream: 'SCORED', durable: 'alone', filter: 'scored.alone.*' } as const;
      const consumer = await bus.consume({ ...options, onReset: () => void (resets += 1) }, got.add);
      await bus.deleteDurable('SCORED', 'alone');
      await eventually(clock, async () => (await bus.durableState('SCORED', 'alone')) !== undefined, 'the durable');
      await bus.publish('scored.alone.train', bytes('x'), { id: 'alone-x' });
      const [message] = await got.count(1);
      await message!.ack();
      await consumer.stop();
      expect(resets).toBe(1);
    });

    test('a consumer waits while another durable has its name, if it is told to', async ({ bus, harness }) => {
      const { clock } = harness;
      const options = { stream: 'SCORED', durable: 'taken', filter: 'scored.taken.train' } as const;
      await bus.ensureDurable({ ...options, filter: 'scored.taken.rows' });
      const { lastDelivered, created } = (await bus.durableState('SCORED', 'taken'))!;
      const listed = { durable: 'taken', filter: 'scored.taken.rows', created, lastDelivered };
      expect(await bus.durables('SCORED')).toContainEqual(listed);
      const got = new Collected<string>(clock);
      const conflicts: string[] = [];
      const consumer = await bus.consume({ ...options, onConflict: ({ message }) => void conflicts.push(message) }, (message) => {
        got.add(messageText(message));
        return message.ack();
      });
      await clock.sleep(1500);
      expect(conflicts).toEqual([expect.stringMatching(/taken.* exists with the filter scored\.taken\.rows/)]);
      await bus.deleteDurable('SCORED', 'taken');
      await eventually(clock, async () => (await bus.durableState('SCORED', 'taken'))?.filter === options.filter, 'the durable');
      await bus.publish('scored.taken.train', bytes('x'), { id: 'taken-x' });
      expect(await got.count(1)).toEqual(['x']);
      await consumer.stop();
    });

    test('watchers of a bucket hear what is gone with it, and what is in the new one', async (fixture) => {
      const { bus, harness } = fixture;
      const kv = bus.kv('policies');
      const heard = new Collected<string>(harness.clock);
      await kv.put('kept', bytes('1'));
      await kv.put('lost', bytes('1'));
      const stop = await kv.watch('>', ({ key, value }) => heard.add(`${key}=${value === undefined ? 'gone' : text(value)}`));
      const before = await created(fixture, 'policies');
      await harness.deleteBucket('policies');
      expect(await created(fixture, 'policies')).toBeUndefined();
      expect(await failure(kv.get('kept'))).toMatchObject({ code: 'unavailable', retryable: true });
      await bus.ensureTopology();
      expect(await created(fixture, 'policies')).not.toBe(before);
      const revision = await kv.create('kept', bytes('2'));
      await heard.until(() => heard.items.includes('kept=2'), 'the new value');
      expect(heard.items).toEqual(['kept=1', 'lost=1', 'kept=gone', 'lost=gone', 'kept=2']);
      await kv.update('kept', bytes('3'), revision);
      await heard.until(() => heard.items.at(-1) === 'kept=3', 'the next value');
      stop();
    });
  });
}
