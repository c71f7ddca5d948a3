import { expect } from 'vitest';
import { startDeadLetters } from '../dead-letters.ts';
import type { BusMessage } from '../../bus/bus.ts';
import type { DeadLetter } from '../dead-letters.ts';
import { findDeadLetter, readDeadLetters, replayDeadLetter } from '../replay.ts';
import type { StoredLetter } from '../replay.ts';
import type { BusHarness } from '../../bus/conformance/harness.ts';
import { Collected, bytes, collect, eventually, text } from '../../bus/conformance/harness.ts';
import { suite } from '../../bus/conformance/suite.ts';

/** What happens to messages nobody can handle. */
export function describeDeadLetters(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: dead letters`, start, (test) => {
    test('the largest message can be given up, whatever the reason', async ({ bus, harness }) => {
      const { clock } = harness;
      const headers = { long: 'x'.repeat(8000) };
      await bus.publish('group.large', new Uint8Array(bus.maxMessageBytes), { id: 'large-1', headers });
      const work = { stream: 'GROUPS', durable: 'large', filter: 'group.large' } as const;
      const consumer = await bus.consume(work, (message) => message.term('because '.repeat(5000)));
      const found = async (): Promise<boolean> => (await bus.last('DLQ', 'dlq.GROUPS'))?.data.byteLength === bus.maxMessageBytes;
      await eventually(clock, found, 'the letter');
      expect((await bus.last('DLQ', 'dlq.GROUPS'))!.headers['Millrace-Dead-Reason']).toMatch(/^because because/);
      await consumer.stop();
      await bus.deleteDurable('GROUPS', 'large');
      expect(await bus.purge('DLQ', 'dlq.GROUPS')).toBe(1);
    });

    test('term copies the message to the DLQ, with the reason', async ({ bus, harness }) => {
      const letters = new Collected<DeadLetter>(harness.clock);
      const listener = await startDeadLetters(bus, letters.add, { durable: 'term-letters' });
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'term', filter: 'group.term' }, (m) =>
        m.term('not a\ngroup'),
      );
      const ack = await bus.publish('group.term', bytes('bad'), { id: 'term-1', headers: { traceparent: '00-1' } });
      const [letter] = await letters.count(1);
      expect({ ...letter, data: text(letter!.data) }).toEqual({
        stream: 'GROUPS',
        subject: 'group.term',
        data: 'bad',
        id: 'term-1',
        sequence: ack.sequence,
        reason: 'not a group',
        deliveries: 1,
        headers: { traceparent: '00-1' },
      });
      await eventually(
        harness.clock,
        async () => (await bus.streamState('GROUPS', 'group.term')).messages === 0,
        'the message to go',
      );
      await Promise.all([consumer.stop(), listener.stop()]);
    });

    test('a message delivered maxDeliver times goes there once, others go on', async ({ bus, harness }) => {
      const other = (await harness.connect()).bus;
      const letters = new Collected<DeadLetter>(harness.clock);
      const listeners = [
        await startDeadLetters(bus, letters.add, { durable: 'max-letters' }),
        await startDeadLetters(other, letters.add, { durable: 'max-letters' }),
      ];
      const seen = new Collected<string>(harness.clock);
      const options = { stream: 'ROLLOUTS', durable: 'max', filter: 'rollout.max', maxDeliver: 3 } as const;
      const consumers = [bus, other].map((b) =>
        b.consume(options, async (m) => {
          seen.add(`${text(m.data)} ${m.deliveryCount}`);
          if (text(m.data) === 'poison') m.nak();
          else await m.ack();
        }),
      );
      await Promise.all(consumers);
      const before = (await bus.streamState('DLQ')).messages;
      await bus.publish('rollout.max', bytes('poison'), { id: 'max-1' });
      await bus.publish('rollout.max', bytes('fine'), { id: 'max-2' });
      await letters.until(() => letters.items.some((l) => l.id === 'max-1'), 'the letter');
      expect(letters.items.filter((l) => l.id === 'max-1')).toMatchObject([
        { stream: 'ROLLOUTS', subject: 'rollout.max', reason: 'max_deliveries', deliveries: 3 },
      ]);
      await seen.count(4);
      expect([...seen.items].sort()).toEqual(['fine 1', 'poison 1', 'poison 2', 'poison 3']);
      await eventually(
        harness.clock,
        async () => (await bus.streamState('ROLLOUTS', 'rollout.max')).messages === 0,
        'the message to go',
      );
      expect((await bus.streamState('DLQ')).messages).toBe(before + 1);
      for (const consumer of consumers) await (await consumer).stop();
      for (const listener of listeners) await listener.stop();
    });

    test('a message that takes its process with it every time ends there too', async ({ bus, harness }) => {
      const letters = new Collected<DeadLetter>(harness.clock);
      const listener = await startDeadLetters(bus, letters.add, { durable: 'crash-letters' });
      const options = { stream: 'GROUPS', durable: 'crash', filter: 'group.crash', maxDeliver: 2, ackWaitMs: 300 } as const;
      await bus.publish('group.crash', bytes('x'), { id: 'crash-1' });
      for (let life = 1; life <= 2; life++) {
        const victim = await harness.connect();
        const got = new Collected<number>(harness.clock);
        await victim.bus.consume(options, (m) => got.add(m.deliveryCount));
        expect(await got.count(1)).toEqual([life]);
        victim.cut();
      }
      const consumer = await bus.consume(options, () => {
        throw new Error('delivered too often');
      });
      await letters.until(() => letters.items.some((l) => l.id === 'crash-1'), 'the letter');
      await Promise.all([consumer.stop(), listener.stop()]);
    });

    test('a letter comes again when its listener throws, and letters wait for a listener', async ({ bus, harness }) => {
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'again', filter: 'group.again' }, (m) => m.term('no'));
      await bus.publish('group.again', bytes('x'), { id: 'again-1' });
      await eventually(
        harness.clock,
        async () => (await bus.streamState('GROUPS', 'group.again')).messages === 0,
        'the message to go',
      );
      const told = new Collected<string>(harness.clock);
      const errors: unknown[] = [];
      const times = (): number => told.items.filter((id) => id === 'again-1').length;
      const listener = await startDeadLetters(
        bus,
        (letter) => {
          told.add(letter.id);
          if (letter.id === 'again-1' && times() === 1) throw new Error('not now');
        },
        { durable: 'again-letters', onError: (thrown) => errors.push(thrown) },
      );
      await told.until(() => times() === 2, 'the second telling');
      expect(errors).toMatchObject([{ message: 'not now' }]);
      await Promise.all([consumer.stop(), listener.stop()]);
    });

    test('a letter is read with all it had, replayed to where it came from and removed', async ({ bus, harness }) => {
      const got = new Collected<BusMessage>(harness.clock);
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'replayed', filter: 'group.replayed' }, async (m) => {
        got.add(m);
        if (got.items.length === 1) m.term('not yet');
        else await m.ack();
      });
      await bus.publish('group.replayed', bytes('payload'), { id: 'replayed-1', headers: { traceparent: '00-1' } });
      const mine = async (): Promise<StoredLetter[]> =>
        (await collect(readDeadLetters(bus, { stream: 'GROUPS' }))).filter((letter) => letter.id === 'replayed-1');
      await eventually(harness.clock, async () => (await mine()).length === 1, 'the letter');
      const [letter] = await mine();
      expect(letter).toMatchObject({
        stream: 'GROUPS',
        subject: 'group.replayed',
        reason: 'not yet',
        headers: { traceparent: '00-1' },
      });
      expect(Math.abs(letter!.givenUpAtMs - harness.clock.now())).toBeLessThan(60_000);
      expect(await findDeadLetter(bus, letter!.letter)).toEqual(letter);
      await replayDeadLetter(bus, letter!);
      await got.count(2);
      expect(text(got.items[1]!.data)).toBe('payload');
      expect(got.items[1]).toMatchObject({ subject: 'group.replayed', headers: { traceparent: '00-1' }, deliveryCount: 1 });
      expect(got.items[1]!.id).not.toBe('replayed-1');
      expect(await mine()).toEqual([]);
      expect(await findDeadLetter(bus, letter!.letter)).toBeUndefined();
      // Whoever read the letter before the other one replayed it publishes nothing new.
      await replayDeadLetter(bus, letter!);
      await bus.publish('group.replayed', bytes('last'), { id: 'replayed-2' });
      expect((await got.count(3)).map((m) => text(m.data))).toEqual(['payload', 'payload', 'last']);
      await consumer.stop();
    });

    test('a replayed scored group reaches the writer alone', async ({ bus, harness }) => {
      const got = new Collected<string>(harness.clock);
      const listen = (durable: string, filter: string) =>
        bus.consume({ stream: 'SCORED', durable, filter }, async (m) => {
          got.add(`${durable} ${m.subject}`);
          if (durable === 'replay-writer' && m.deliveryCount === 1 && m.subject.endsWith('train')) m.term('refused');
          else await m.ack();
        });
      const consumers = [await listen('replay-writer', 'scored.>'), await listen('replay-trainer', 'scored.again.train')];
      await bus.publish('scored.again.train', bytes('group'), { id: 'again-scored' });
      const mine = async (): Promise<StoredLetter[]> => collect(readDeadLetters(bus, { stream: 'SCORED' }));
      await eventually(harness.clock, async () => (await mine()).length === 1, 'the letter');
      await replayDeadLetter(bus, (await mine())[0]!);
      await got.count(3);
      expect([...got.items].sort()).toEqual([
        'replay-trainer scored.again.train',
        'replay-writer scored.again.rows',
        'replay-writer scored.again.train',
      ]);
      await eventually(harness.clock, async () => (await bus.streamState('SCORED')).messages === 0, 'all to be worked off');
      for (const consumer of consumers) await consumer.stop();
    });
  });
}
