import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { hasParts, needsParts, PART_BYTES, publishInParts, readParts, releaseParts } from '../parts.ts';
import type { BusMessage } from '../../bus/bus.ts';
import type { BusHarness } from '../../bus/conformance/harness.ts';
import { Collected, bytes, collect, eventually, failure, text } from '../../bus/conformance/harness.ts';
import { suite, type Fixture } from '../../bus/conformance/suite.ts';
import { systemRandom } from '../../random/seeded.ts';

/** Three and a bit. */
const SIZE = 3 * PART_BYTES + 17;

/** Messages in parts over a work queue. */
export function describeParts(name: string, start: () => Promise<BusHarness>): void {
  suite(`${name}: parts`, start, (test) => {
    const random = systemRandom();
    const publish = async ({ bus, harness }: Fixture, job: string, whole: Uint8Array, id = 'one'): Promise<void> =>
      publishInParts(
        bus,
        { job, subject: `group.${job}`, stub: bytes(`stub ${id}`), whole },
        { id, clock: harness.clock, random },
      );
    const subjects = async ({ bus }: Fixture, job: string): Promise<string[]> =>
      (await collect(bus.read('PARTS', `part.${job}.>`))).map(({ subject }) => subject);
    const consume = async ({ bus, harness }: Fixture, job: string): Promise<Collected<BusMessage>> => {
      const got = new Collected<BusMessage>(harness.clock);
      await bus.consume({ stream: 'GROUPS', durable: job, filter: `group.${job}`, ackWaitMs: 1000 }, got.add);
      return got;
    };

    test('the holder of the stub reads the whole, and releases it after the ack', async (fixture) => {
      const whole = randomBytes(SIZE);
      expect([needsParts(fixture.bus, SIZE), needsParts(fixture.bus, PART_BYTES)]).toEqual([true, false]);
      await publish(fixture, 'parts-whole', whole);
      expect(await subjects(fixture, 'parts-whole')).toHaveLength(4);
      const [message] = await (await consume(fixture, 'parts-whole')).count(1);
      expect([text(message!.data), hasParts(message!)]).toEqual(['stub one', true]);
      const other = (await fixture.harness.connect()).bus;
      expect(Buffer.from(await readParts(other, message!)).equals(whole)).toBe(true);
      await message!.ack();
      await releaseParts(fixture.bus, message!);
      expect(await subjects(fixture, 'parts-whole')).toEqual([]);
    });

    test('a redelivered stub still has its parts', async (fixture) => {
      const whole = randomBytes(SIZE);
      await publish(fixture, 'parts-again', whole);
      const got = await consume(fixture, 'parts-again');
      const [first] = await got.count(1);
      await readParts(fixture.bus, first!);
      first!.nak(0);
      const [, second] = await got.count(2);
      expect(second!.deliveryCount).toBe(2);
      expect(Buffer.from(await readParts(fixture.bus, second!)).equals(whole)).toBe(true);
      await second!.ack();
    });

    test('messages of the same bytes do not share parts', async (fixture) => {
      const whole = randomBytes(SIZE);
      await publish(fixture, 'parts-twins', whole, 'one');
      await publish(fixture, 'parts-twins', whole, 'two');
      const [one, two] = await (await consume(fixture, 'parts-twins')).count(2);
      await releaseParts(fixture.bus, one!);
      expect(Buffer.from(await readParts(fixture.bus, two!)).equals(whole)).toBe(true);
      for (const message of [one!, two!]) await message.ack();
    });

    test('published again after its release, a message has parts again', async (fixture) => {
      const whole = randomBytes(SIZE);
      const got = await consume(fixture, 'parts-anew');
      await publish(fixture, 'parts-anew', whole);
      const [first] = await got.count(1);
      await first!.ack();
      await releaseParts(fixture.bus, first!);
      await publish(fixture, 'parts-anew', whole);
      expect(await subjects(fixture, 'parts-anew')).toHaveLength(4);
      expect(Buffer.from(await readParts(fixture.bus, first!)).equals(whole)).toBe(true);
    });

    test('parts that are missing or changed are noticed', async (fixture) => {
      const { bus, harness } = fixture;
      await publish(fixture, 'parts-broken', randomBytes(SIZE));
      const [message] = await (await consume(fixture, 'parts-broken')).count(1);
      const [, second] = await subjects(fixture, 'parts-broken');
      await bus.publish(second!, randomBytes(PART_BYTES), { id: 'other' });
      expect(await failure(readParts(bus, message!))).toMatchObject({ code: 'data_loss', retryable: false });
      await bus.publish(second!, randomBytes(PART_BYTES + 20), { id: 'longer' });
      expect(await failure(readParts(bus, message!))).toMatchObject({ code: 'data_loss' });
      await bus.purge('PARTS', second!);
      await eventually(harness.clock, async () => (await bus.last('PARTS', second!)) === undefined, 'the purge');
      expect(await failure(readParts(bus, message!))).toMatchObject({ message: expect.stringMatching(/is missing$/) as string });
      const forged = { headers: { ...message!.headers, 'Millrace-Parts-Count': '999999999' } };
      expect(await failure(readParts(bus, forged))).toMatchObject({ code: 'data_loss' });
      await message!.ack();
    });
  });
}
