import { expect } from 'vitest';
import type { BusMessage } from '../bus.ts';
import { startDeadLetters } from '../dead-letters.ts';
import type { DeadLetter } from '../dead-letters.ts';
import type { BusHarness } from './harness.ts';
import { Collected, bytes, eventually, text } from './harness.ts';
import { suite } from './suite.ts';

/** What happens to messages nobody can handle. */
export function describeDeadLetters(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: dead letters`, start, (test) => {
    test('term copies the message to the DLQ, with the reason', async ({ bus, harness }) => {
      const letters = new Collected<DeadLetter>(harness.clock);
      const undertaker = await startDeadLetters(bus, letters.add, { clock: harness.clock, durable: 'term-letters' });
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
      await Promise.all([consumer.stop(), undertaker.stop()]);
    });

    test('a message delivered maxDeliver times is moved once, however many listen', async ({ bus, harness }) => {
      const other = (await harness.connect()).bus;
      const letters = new Collected<DeadLetter>(harness.clock);
      const options = { clock: harness.clock, durable: 'max-letters' };
      const undertakers = [
        await startDeadLetters(bus, letters.add, options),
        await startDeadLetters(other, letters.add, options),
      ];
      const seen = new Collected<number>(harness.clock);
      const consumer = await bus.consume({ stream: 'ROLLOUTS', durable: 'max', filter: 'rollout.max', maxDeliver: 3 }, (m) => {
        seen.add(m.deliveryCount);
        m.nak();
      });
      const before = (await bus.streamState('DLQ')).messages;
      await bus.publish('rollout.max', bytes('poison'), { id: 'max-1' });
      await letters.until(() => letters.items.some((l) => l.id === 'max-1'), 'the letter');
      const own = letters.items.filter((l) => l.id === 'max-1');
      expect(own).toHaveLength(1);
      expect(own[0]).toMatchObject({ stream: 'ROLLOUTS', subject: 'rollout.max', reason: 'max_deliveries', deliveries: 3 });
      expect(seen.items).toEqual([1, 2, 3]);
      await eventually(
        harness.clock,
        async () => (await bus.streamState('ROLLOUTS', 'rollout.max')).messages === 0,
        'the message to go',
      );
      expect((await bus.streamState('DLQ')).messages).toBe(before + 1);
      await Promise.all([consumer.stop(), ...undertakers.map((u) => u.stop())]);
    });

    test('a sweep finds what died while nobody listened, and leaves alone what lives', async ({ bus, harness }) => {
      const held: BusMessage[] = [];
      const seen = new Collected<string>(harness.clock);
      const options = { stream: 'GROUPS', durable: 'sweep', filter: 'group.sweep', maxDeliver: 2, maxInFlight: 8 } as const;
      const dead = new Collected<number>(harness.clock);
      const off = bus.onMaxDeliveries((event) => {
        if (event.durable === 'sweep') dead.add(event.sequence);
      });
      const consumer = await bus.consume(options, async (m) => {
        const what = text(m.data);
        seen.add(what);
        if (what === 'poison') m.nak();
        else if (what === 'held') held.push(m);
        else await m.ack();
      });
      const poison = await bus.publish('group.sweep', bytes('poison'), { id: 'sweep-1' });
      await bus.publish('group.sweep', bytes('fine'), { id: 'sweep-2' });
      expect(await dead.count(1)).toEqual([poison.sequence]);
      await bus.publish('group.sweep', bytes('held'), { id: 'sweep-3' });
      await seen.until(() => held.length === 1, 'the held message');
      await eventually(
        harness.clock,
        async () => (await bus.abandoned('GROUPS', 'sweep')).length > 0,
        'the server to give it up',
      );
      expect(await bus.abandoned('GROUPS', 'sweep')).toEqual([poison.sequence]);
      const undertaker = await startDeadLetters(bus, undefined, {
        clock: harness.clock,
        sweepMs: 3_600_000,
        durables: [{ stream: 'GROUPS', durable: 'sweep' }],
      });
      expect(await undertaker.sweep()).toBe(0);
      expect(await undertaker.sweep()).toBe(1);
      expect(await undertaker.sweep()).toBe(0);
      expect(await bus.message('GROUPS', poison.sequence)).toBeUndefined();
      expect((await bus.streamState('GROUPS', 'group.sweep')).messages).toBe(1);
      await held[0]!.ack();
      off();
      await Promise.all([consumer.stop(), undertaker.stop()]);
    });

    test('a letter comes again when its listener throws', async ({ bus, harness }) => {
      const told = new Collected<string>(harness.clock);
      const undertaker = await startDeadLetters(
        bus,
        (letter) => {
          told.add(letter.id);
          if (told.items.filter((id) => id === letter.id).length === 1) throw new Error('not now');
        },
        { clock: harness.clock, durable: 'again-letters' },
      );
      const consumer = await bus.consume({ stream: 'GROUPS', durable: 'again', filter: 'group.again' }, (m) => m.term('no'));
      await bus.publish('group.again', bytes('x'), { id: 'again-1' });
      await told.until(() => told.items.filter((id) => id === 'again-1').length === 2, 'the second telling');
      await Promise.all([consumer.stop(), undertaker.stop()]);
    });
  });
}
