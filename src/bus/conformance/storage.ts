import { expect } from 'vitest';
import { publishWithRoom } from '../backpressure.ts';
import type { StoredMessage } from '../bus.ts';
import type { BusHarness } from './harness.ts';
import { Collected, bytes, collect, eventually, failure, text } from './harness.ts';
import { suite } from './suite.ts';

/** Publishing, stored messages, limits, and plain pub/sub. */
export function describeStorage(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: streams`, start, (test) => {
    test('the topology can be ensured again', async ({ bus }) => {
      await bus.ensureTopology();
      expect((await bus.streamState('DLQ')).messages).toBe(0);
    });

    test('a message that is published again is acknowledged and dropped', async ({ bus }) => {
      const first = await bus.publish('event.dup.a', bytes('1'), { id: 'dup-1' });
      const again = await bus.publish('event.dup.a', bytes('1'), { id: 'dup-1' });
      expect(first.duplicate).toBe(false);
      expect(again).toEqual({ sequence: first.sequence, duplicate: true });
      expect(await texts(bus.read('EVENTS', 'event.dup.>'))).toEqual(['1']);
    });

    test('another message with an id that was used before is stored, not taken for a duplicate', async ({ bus }) => {
      const acks = [
        await bus.publish('event.same.a', bytes('1'), { id: 'same' }),
        await bus.publish('event.same.a', bytes('2'), { id: 'same' }),
        await bus.publish('event.same.b', bytes('1'), { id: 'same' }),
      ];
      expect(acks.map(({ duplicate }) => duplicate)).toEqual([false, false, false]);
      const stored = await collect(bus.read('EVENTS', 'event.same.>'));
      expect(stored.map(({ id, data }) => [id, text(data)])).toEqual([
        ['same', '1'],
        ['same', '2'],
        ['same', '1'],
      ]);
    });

    test('a work queue takes another message with the id of one that was worked off', async ({ bus, harness }) => {
      const got = new Collected<string>(harness.clock);
      const work = { stream: 'GROUPS', durable: 'twice', filter: 'group.twice' } as const;
      const consumer = await bus.consume(work, async (message) => {
        await message.ack();
        got.add(`${message.id}: ${text(message.data)}`);
      });
      await bus.publish('group.twice', bytes('first'), { id: 'twice' });
      await got.count(1);
      expect((await bus.publish('group.twice', bytes('first'), { id: 'twice' })).duplicate).toBe(true);
      expect((await bus.publish('group.twice', bytes('second'), { id: 'twice' })).duplicate).toBe(false);
      expect(await got.count(2)).toEqual(['twice: first', 'twice: second']);
      await consumer.stop();
      await bus.deleteDurable('GROUPS', 'twice');
    });

    test('the publisher says what makes a message the same', async ({ bus }) => {
      const options = { id: 'content', content: 'the same' };
      const first = await bus.publish('event.content.a', bytes('at 12:00'), options);
      const again = await bus.publish('event.content.a', bytes('at 12:01'), options);
      expect(again).toEqual({ sequence: first.sequence, duplicate: true });
      const other = await bus.publish('event.content.a', bytes('at 12:00'), { id: 'content', content: 'another' });
      expect(other.duplicate).toBe(false);
    });

    test('ids that would become another on the wire are refused', async ({ bus }) => {
      for (const id of ['', 'a\nb', 'a\r', '\0', '📞'.slice(0, 1), `x${'🪀'.slice(1)}`])
        expect(await failure(bus.publish('event.id.a', bytes('x'), { id }))).toMatchObject({
          code: 'invalid_argument',
          field: 'id',
        });
      expect((await bus.publish('event.id.a', bytes('x'), { id: 'größe 📞' })).duplicate).toBe(false);
      expect((await bus.last('EVENTS', 'event.id.a'))!.id).toBe('größe 📞');
    });

    test('what is too large is refused with its size and the limit, and trying again is no use', async ({ bus }) => {
      const limit = bus.maxMessageBytes;
      const sizes = new RegExp(`${(limit + 1).toLocaleString('en-US')} bytes, .* at most ${limit.toLocaleString('en-US')}`);
      const tooLarge = { code: 'invalid_argument', retryable: false, message: expect.stringMatching(sizes) as string };
      const data = new Uint8Array(limit + 1);
      expect(await failure(bus.publish('event.size.a', data, { id: 'size-1' }))).toMatchObject(tooLarge);
      expect(await failure(bus.kv('jobs').put('size', data))).toMatchObject(tooLarge);
      const headers = { long: 'x'.repeat(20_000) };
      expect((await failure(bus.publish('event.size.a', bytes('x'), { id: 'size-2', headers }))).code).toBe('invalid_argument');
      const fits = await bus.publish('event.size.a', data.subarray(1), { id: 'size-3', headers: { long: 'x'.repeat(8000) } });
      expect(fits.duplicate).toBe(false);
    });

    test('the publisher may reuse its buffer', async ({ bus }) => {
      const buffer = bytes('before');
      await bus.publish('event.alias.a', buffer, { id: 'alias-1' });
      buffer.fill(0);
      expect(text((await bus.last('EVENTS', 'event.alias.a'))!.data)).toBe('before');
    });

    test('subjects nobody stores, and wildcards, are refused', async ({ bus }) => {
      expect((await failure(bus.publish('nowhere.x', bytes('x'), { id: 'n1' }))).code).toBe('invalid_argument');
      expect((await failure(bus.publish('event.*', bytes('x'), { id: 'n2' }))).code).toBe('invalid_argument');
      expect((await failure(bus.publish('event..x', bytes('x'), { id: 'n3' }))).code).toBe('invalid_argument');
      expect((await failure(bus.last('EVENTS', 'event.*'))).code).toBe('invalid_argument');
    });

    test('reads in order, by filter, from a sequence on', async ({ bus }) => {
      const sequences: number[] = [];
      for (let i = 0; i < 6; i++) {
        const ack = await bus.publish(`event.read.${i % 2}`, bytes(`${i}`), { id: `read-${i}`, headers: { n: `${i}` } });
        sequences.push(ack.sequence);
      }
      const all = await collect(bus.read('EVENTS', 'event.read.*'));
      expect(all.map((m) => text(m.data))).toEqual(['0', '1', '2', '3', '4', '5']);
      expect(all.map((m) => m.sequence)).toEqual(sequences);
      expect(all[3]).toMatchObject({ subject: 'event.read.1', id: 'read-3', headers: { n: '3' } });
      expect(all[3]!.timeMs).toBeGreaterThan(0);
      expect(await texts(bus.read('EVENTS', 'event.read.1', sequences[2]))).toEqual(['3', '5']);
      expect(await texts(bus.read('EVENTS', 'event.read.1', sequences[5]! + 1))).toEqual([]);
    });

    test('the backlog of a work queue can be read without taking it', async ({ bus }) => {
      await bus.publish('group.backlog', bytes('a'), { id: 'backlog-a' });
      await bus.publish('group.backlog', bytes('b'), { id: 'backlog-b' });
      expect(await texts(bus.read('GROUPS', 'group.backlog'))).toEqual(['a', 'b']);
      expect(await bus.purge('GROUPS', 'group.backlog')).toBe(2);
    });

    test('counts the messages of each subject', async ({ bus, harness }) => {
      expect([...(await bus.subjectCounts('GROUPS', 'group.>'))]).toEqual([]);
      for (const [at, subject] of ['group.counts.a', 'group.counts.b', 'group.counts.a', 'group.other'].entries())
        await bus.publish(subject, bytes(`${at}`), { id: `counts-${at}` });
      const counts = async (filter: string) =>
        [...(await bus.subjectCounts('GROUPS', filter))].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(await counts('group.counts.*')).toEqual([
        ['group.counts.a', 2],
        ['group.counts.b', 1],
      ]);
      const worked = new Collected<string>(harness.clock);
      const work = { stream: 'GROUPS', durable: 'counts', filter: 'group.counts.a' } as const;
      const consumer = await bus.consume(work, async (message) => {
        // A message in hand is counted until it is settled.
        if (worked.items.length === 0) expect((await bus.subjectCounts('GROUPS', 'group.counts.a')).size).toBe(1);
        await message.ack();
        worked.add(message.id);
      });
      await worked.count(2);
      expect(await counts('group.>')).toEqual([
        ['group.counts.b', 1],
        ['group.other', 1],
      ]);
      expect((await failure(bus.subjectCounts('GROUPS', 'group..a'))).code).toBe('invalid_argument');
      await consumer.stop();
      await bus.deleteDurable('GROUPS', 'counts');
      await bus.purge('GROUPS', 'group.>');
    });

    test('one message can be deleted, once', async ({ bus }) => {
      const acks = [];
      for (const word of ['a', 'b', 'c']) acks.push(await bus.publish('event.delete.x', bytes(word), { id: `delete-${word}` }));
      expect(await bus.deleteMessage('EVENTS', acks[1]!.sequence)).toBe(true);
      expect(await bus.deleteMessage('EVENTS', acks[1]!.sequence)).toBe(false);
      expect(await bus.deleteMessage('EVENTS', acks[2]!.sequence + 1000)).toBe(false);
      expect(await texts(bus.read('EVENTS', 'event.delete.>'))).toEqual(['a', 'c']);
    });

    test('WEIGHTS keeps the newest of each subject', async ({ bus }) => {
      await bus.publish('weights.one.1.x', bytes('old'), { id: 'w-1' });
      await bus.publish('weights.one.1.x', bytes('new'), { id: 'w-2' });
      await bus.publish('weights.one.1.y', bytes('y'), { id: 'w-3' });
      expect(text((await bus.last('WEIGHTS', 'weights.one.1.x'))!.data)).toBe('new');
      expect(await texts(bus.read('WEIGHTS', 'weights.one.>'))).toEqual(['new', 'y']);
      expect(await bus.last('WEIGHTS', 'weights.one.1.z')).toBeUndefined();
    });

    test('messages can be purged and counted', async ({ bus }) => {
      const acks = [];
      for (let i = 0; i < 4; i++) acks.push(await bus.publish(`event.purge.${i % 2}`, bytes('x'), { id: `purge-${i}` }));
      expect((await bus.streamState('EVENTS', 'event.purge.>')).messages).toBe(4);
      expect(await bus.purge('EVENTS', 'event.purge.1')).toBe(2);
      const state = await bus.streamState('EVENTS', 'event.purge.>');
      expect(state.messages).toBe(2);
      expect(state.lastSequence).toBe(acks[3]!.sequence);
      expect(state.bytes).toBeGreaterThan(0);
    });

    test('a purge leaves durables what they are to get of other subjects', async ({ bus, harness }) => {
      const work = { stream: 'GROUPS', durable: 'purged', filter: 'group.>' } as const;
      await bus.ensureDurable(work);
      for (const name of ['a', 'b']) await bus.publish(`group.purged-${name}`, bytes(name), { id: `purged-${name}` });
      expect(await bus.purge('GROUPS', 'group.purged-none')).toBe(0);
      expect(await bus.purge('GROUPS', 'group.purged-a')).toBe(1);
      const got = new Collected<string>(harness.clock);
      const consumer = await bus.consume(work, async (message) => {
        await message.ack();
        got.add(text(message.data));
      });
      expect(await got.count(1)).toEqual(['b']);
      await consumer.stop();
      await bus.deleteDurable('GROUPS', 'purged');
    });

    test('a full work queue refuses, and takes again when there is room', async ({ bus }) => {
      let accepted = 0;
      const fill = async (): Promise<void> => {
        for (; accepted < 100; accepted++) await bus.publish('rollout.full', bytes('x'), { id: `full-${accepted}` });
      };
      const error = await failure(fill());
      expect(error).toMatchObject({ code: 'resource_exhausted', retryable: true });
      expect(accepted).toBe(40);
      expect(await bus.purge('ROLLOUTS', 'rollout.full')).toBe(40);
      expect((await bus.publish('rollout.full', bytes('x'), { id: `full-${accepted}` })).duplicate).toBe(false);
      await bus.purge('ROLLOUTS', 'rollout.full');
    });

    test('what was expensive to make waits for room on a full stream', async ({ bus, harness: { clock } }) => {
      for (let i = 0; i < 40; i++) await bus.publish('rollout.room', bytes('x'), { id: `room-${i}` });
      let refused = 0;
      const options = { clock, timeoutMs: 10_000, onRefused: () => refused++ };
      const waiting = publishWithRoom(bus, 'rollout.room', bytes('y'), { ...options, id: 'room-40' });
      await eventually(clock, () => Promise.resolve(refused > 0), 'a refusal');
      await bus.purge('ROLLOUTS', 'rollout.room');
      await waiting;
      expect(await texts(bus.read('ROLLOUTS', 'rollout.room'))).toEqual(['y']);
      for (let i = 0; i < 39; i++) await bus.publish('rollout.room', bytes('x'), { id: `room-again-${i}` });
      const late = await failure(publishWithRoom(bus, 'rollout.room', bytes('y'), { ...options, timeoutMs: 0, id: 'room-41' }));
      expect(late).toMatchObject({ code: 'resource_exhausted' });
      await bus.purge('ROLLOUTS', 'rollout.room');
    });

    test('an interest stream keeps nothing that nobody waits for', async ({ bus }) => {
      await bus.publish('scored.lonely.train', bytes('x'), { id: 'lonely' });
      expect((await bus.streamState('SCORED', 'scored.lonely.>')).messages).toBe(0);
    });

    test('emit reaches who listens now, in order, until they stop', async ({ bus, harness }) => {
      const other = (await harness.connect()).bus;
      const heard = new Collected<string>(harness.clock);
      const stop = other.listen('telemetry.*.cpu', (data, subject) => heard.add(`${subject}=${text(data)}`));
      // The subscription is known to the server once an answer to something later has come.
      await other.streamState('DLQ');
      for (const n of ['1', '2', '3']) bus.emit('telemetry.a.cpu', bytes(n));
      bus.emit('telemetry.a.memory', bytes('no'));
      expect(await heard.count(3)).toEqual(['telemetry.a.cpu=1', 'telemetry.a.cpu=2', 'telemetry.a.cpu=3']);
      stop();
      await other.streamState('DLQ');
      bus.emit('telemetry.a.cpu', bytes('4'));
      await bus.streamState('DLQ');
      await other.streamState('DLQ');
      expect(heard.items).toHaveLength(3);
    });

    test('after close every call fails, and closed says that it was asked for', async ({ harness }) => {
      const { bus } = await harness.connect();
      await bus.close();
      await bus.close();
      expect(await bus.closed).toBeUndefined();
      expect(await failure(bus.publish('event.closed.a', bytes('x'), { id: 'closed' }))).toMatchObject({
        code: 'unavailable',
        retryable: false,
      });
    });
  });
}

async function texts(messages: AsyncIterable<StoredMessage>): Promise<string[]> {
  return (await collect(messages)).map((m) => text(m.data));
}
