import { expect } from 'vitest';
import type { FaultHarness } from './faults-harness.ts';
import { Collected, bytes, collect, eventually, failure, text } from './harness.ts';
import { suite } from './suite.ts';

/** Calls and plain messages over a wire that breaks: what was asked for is done once, or its caller is told that nobody knows. */
export function describeCallFaults(name: string, start: () => Promise<FaultHarness>): void {
  suite(`${name}: calls over a bad wire`, start, (test) => {
    test('a publish whose acknowledgement is lost is stored once, and acknowledged as a duplicate', async ({ bus, harness }) => {
      const wire = await harness.connect();
      await wire.bus.publish('event.lost.a', bytes('0'), { id: 'lost-0' });
      wire.loseAnswers(1);
      const ack = await wire.bus.publish('event.lost.a', bytes('1'), { id: 'lost-1' });
      expect(ack.duplicate).toBe(true);
      wire.loseAnswers(2);
      expect((await wire.bus.publish('event.lost.a', bytes('2'), { id: 'lost-2' })).duplicate).toBe(true);
      const stored = await collect(bus.read('EVENTS', 'event.lost.>'));
      expect(stored.map(({ data }) => text(data))).toEqual(['0', '1', '2']);
      expect(stored[1]!.sequence).toBe(ack.sequence);
    });

    test('a write to a bucket whose answer is lost is done once, and no conflict with itself', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const jobs = wire.bus.kv('jobs');
      const heard = new Collected<string>(harness.clock);
      const stop = await bus.kv('jobs').watch('lost.*', (c) => heard.add(`${c.value && text(c.value)} at ${c.revision}`));
      wire.loseAnswers(1);
      const created = await jobs.create('lost.a', bytes('1'));
      wire.loseAnswers(1);
      const updated = await jobs.update('lost.a', bytes('2'), created);
      wire.loseAnswers(1);
      const put = await jobs.put('lost.a', bytes('3'));
      expect([updated - created, put - updated]).toEqual([1, 1]);
      expect((await failure(jobs.update('lost.a', bytes('4'), updated))).code).toBe('aborted');
      wire.loseAnswers(1);
      await jobs.delete('lost.a', put);
      await heard.until(() => heard.items.at(-1) === `undefined at ${put + 1}`, 'the deletion');
      // A watcher may be spared what was overwritten.
      const all = [`1 at ${created}`, `2 at ${updated}`, `3 at ${put}`, `undefined at ${put + 1}`];
      expect(heard.items).toEqual(all.filter((one) => heard.items.includes(one)));
      stop();
    });

    test('a call during a short outage succeeds when it is over', async ({ bus, harness }) => {
      const wire = await harness.connect();
      wire.cut();
      const work = [
        wire.bus.publish('event.short.a', bytes('1'), { id: 'short-1' }).then(({ duplicate }) => duplicate),
        wire.bus.kv('jobs').create('short.a', bytes('1')).then(Number.isInteger),
        wire.bus.last('EVENTS', 'event.none.a').then((found) => found === undefined),
        wire.bus.streamState('DLQ').then(({ messages }) => messages === 0),
      ];
      await harness.clock.sleep(harness.callTimeoutMs / 4);
      wire.heal();
      expect(await Promise.all(work)).toEqual([false, true, true, true]);
      expect((await bus.streamState('EVENTS', 'event.short.>')).messages).toBe(1);
    });

    test('a call during a longer outage is unavailable, within its bound, and can be made again', async ({ bus, harness }) => {
      const { clock, callTimeoutMs } = harness;
      const wire = await harness.connect();
      wire.cut();
      const from = clock.monotonic();
      const message = ['event.long.a', bytes('1'), { id: 'long-1' }] as const;
      const errors = [
        failure(wire.bus.publish(...message)),
        failure(wire.bus.kv('jobs').put('long.a', bytes('1'))),
        failure(wire.bus.kv('jobs').get('long.a')),
        failure(wire.bus.durableState('GROUPS', 'none')),
      ];
      for (const error of await Promise.all(errors)) expect(error).toMatchObject({ code: 'unavailable', retryable: true });
      expect(clock.monotonic() - from).toBeGreaterThan(callTimeoutMs / 2);
      expect(clock.monotonic() - from).toBeLessThan(callTimeoutMs + 1500);
      wire.heal();
      await wire.bus.publish(...message);
      expect((await bus.streamState('EVENTS', 'event.long.>')).messages).toBe(1);
    });

    test('a call that ended as unavailable may be carried out afterwards, and then counts', async ({ bus, harness }) => {
      const { clock } = harness;
      const wire = await harness.connect();
      const jobs = wire.bus.kv('jobs');
      const revision = await jobs.put('late.a', bytes('before'));
      const message = ['event.late.a', bytes('1'), { id: 'late-1' }] as const;
      wire.carryOutLate();
      expect(await failure(wire.bus.publish(...message))).toMatchObject({ code: 'unavailable', retryable: true });
      await eventually(clock, async () => (await bus.streamState('EVENTS', 'event.late.>')).messages === 1, 'the message');
      expect((await wire.bus.publish(...message)).duplicate).toBe(true);
      wire.carryOutLate();
      expect(await failure(jobs.update('late.a', bytes('late'), revision))).toMatchObject({ code: 'unavailable' });
      await eventually(clock, async () => text((await bus.kv('jobs').get('late.a'))!.value) === 'late', 'the value');
      expect((await failure(jobs.update('late.a', bytes('again'), revision))).code).toBe('aborted');
    });

    test('a write on an old revision fails when the connection is back', async ({ bus, harness }) => {
      const wire = await harness.connect();
      const revision = await wire.bus.kv('jobs').create('stale.a', bytes('mine'));
      wire.cut();
      const pending = failure(wire.bus.kv('jobs').update('stale.a', bytes('mine again'), revision));
      const theirs = await bus.kv('jobs').update('stale.a', bytes('theirs'), revision);
      wire.heal();
      expect(await pending).toMatchObject({ code: 'aborted' });
      expect(await wire.bus.kv('jobs').get('stale.a')).toMatchObject({ revision: theirs });
      expect(await failure(wire.bus.kv('jobs').create('stale.a', bytes('new')))).toMatchObject({ code: 'already_exists' });
    });

    test('what is emitted during an outage is no error, and never heard twice', async ({ bus, harness }) => {
      const { clock } = harness;
      const wire = await harness.connect();
      const [heard, heardByWire] = [new Collected<string>(clock), new Collected<string>(clock)];
      bus.listen('telemetry.out.*', (data) => heard.add(text(data)));
      wire.bus.listen('telemetry.in.*', (data) => heardByWire.add(text(data)));
      await Promise.all([bus.streamState('DLQ'), wire.bus.streamState('DLQ')]);
      wire.cut();
      wire.bus.emit('telemetry.out.a', bytes('lost?'));
      bus.emit('telemetry.in.a', bytes('lost'));
      await clock.sleep(200);
      wire.heal();
      // The subscription is known again to the server once an answer to something later has come.
      await wire.bus.streamState('DLQ');
      wire.bus.emit('telemetry.out.a', bytes('after'));
      bus.emit('telemetry.in.a', bytes('after'));
      await heard.until(() => heard.items.includes('after'), 'what is emitted afterwards');
      expect(await heardByWire.count(1)).toEqual(['after']);
      expect(heard.items.filter((one) => one === 'lost?').length).toBeLessThanOrEqual(1);
    });

    test('over a slow wire calls take long, keep their order, and do not wait for each other', async ({ bus, harness }) => {
      const { clock } = harness;
      const wire = await harness.connect();
      wire.delay(200);
      const from = clock.monotonic();
      const acks = await Promise.all(
        [0, 1, 2, 3].map((i) => wire.bus.publish('event.slow.a', bytes(`${i}`), { id: `slow-${i}` })),
      );
      expect(clock.monotonic() - from).toBeGreaterThanOrEqual(390);
      expect(clock.monotonic() - from).toBeLessThan(1500);
      wire.delay(0);
      expect(acks.map(({ sequence }) => sequence - acks[0]!.sequence)).toEqual([0, 1, 2, 3]);
      expect((await collect(bus.read('EVENTS', 'event.slow.>'))).map(({ data }) => text(data))).toEqual(['0', '1', '2', '3']);
    });

    test('a watch that misses changes gives the newest of each key afterwards', async ({ bus, harness }) => {
      const { clock } = harness;
      const wire = await harness.connect();
      const [jobs, nodes] = [bus.kv('jobs'), bus.kv('nodes')];
      await jobs.put('gap.changed', bytes('1'));
      await jobs.put('gap.deleted', bytes('1'));
      await jobs.put('gap.same', bytes('1'));
      await nodes.put('gap.expired', bytes('1'));
      const heard = new Collected<{ key: string; value: string | undefined; revision: number }>(clock);
      const add = (c: { key: string; value: Uint8Array | undefined; revision: number }): void =>
        heard.add({ key: c.key, value: c.value && text(c.value), revision: c.revision });
      const stops = [await wire.bus.kv('jobs').watch('gap.*', add), await wire.bus.kv('nodes').watch('gap.*', add)];
      expect(heard.items).toHaveLength(4);
      wire.cut();
      for (const value of ['2', '3', '4']) await jobs.put('gap.changed', bytes(value));
      await jobs.delete('gap.deleted');
      await jobs.put('gap.passing', bytes('1'));
      await jobs.delete('gap.passing');
      const last = await jobs.put('gap.new', bytes('1'));
      await eventually(clock, async () => (await nodes.get('gap.expired')) === undefined, 'the expiry');
      wire.heal();
      const newest = (key: string): string | undefined => heard.items.findLast((c) => c.key === key)?.value;
      await heard.until(() => heard.items.some(({ revision }) => revision === last), 'the newest change');
      await heard.until(() => newest('gap.expired') === undefined, 'the expiry');
      await jobs.put('gap.same', bytes('2'));
      await heard.until(() => newest('gap.same') === '2', 'a change after the outage');
      const told = (key: string): (string | undefined)[] => heard.items.filter((c) => c.key === key).map(({ value }) => value);
      expect(told('gap.changed')).toEqual(['1', '4']);
      expect(told('gap.deleted')).toEqual(['1', undefined]);
      expect(told('gap.passing')).toEqual([undefined]);
      expect(told('gap.new')).toEqual(['1']);
      expect(told('gap.same')).toEqual(['1', '2']);
      expect(told('gap.expired')).toEqual(['1', undefined]);
      for (const stop of stops) stop();
    });
  });
}
