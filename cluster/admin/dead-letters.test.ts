import { memoryBus } from '../../src/protocol/memory.ts';
import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { StreamName } from '../../src/protocol/names.ts';
import type { MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import {
  GetDeadLetterRequestSchema,
  ListDeadLettersRequestSchema,
  ReplayDeadLettersRequestSchema,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { deadLetterQueue } from './dead-letters.ts';

describe('the dead-letter queue of the admin API', () => {
  const clock = new VirtualClock();
  let bus: MemoryBus;
  let queue: ReturnType<typeof deadLetterQueue>;
  let published = 0;
  /** What each consumer of the streams was given after it refused the first delivery of everything. */
  let received: string[];

  const list = (request: Parameters<typeof create<typeof ListDeadLettersRequestSchema>>[1] = {}) =>
    queue.listDeadLetters(create(ListDeadLettersRequestSchema, request));
  const replay = (request: Parameters<typeof create<typeof ReplayDeadLettersRequestSchema>>[1]) =>
    queue.replayDeadLetters(create(ReplayDeadLettersRequestSchema, request));
  const settle = (): Promise<void> => clock.run(clock.sleep(100));

  /** Publishes messages that are refused, and refuses those whose text is `always` for ever. */
  const giveUp = async (subject: string, texts: readonly string[]): Promise<void> => {
    for (const text of texts) await bus.publish(subject, Buffer.from(text), { id: `m${(published += 1)}`, headers: { n: text } });
    await settle();
  };

  beforeEach(async () => {
    bus = memoryBus({ clock });
    queue = deadLetterQueue(bus);
    received = [];
    const consume = (stream: StreamName, filter: string): Promise<unknown> =>
      bus.consume({ stream, durable: `test-${stream}`, filter }, async (message) => {
        const text = Buffer.from(message.data).toString();
        if (text === 'always' || !message.id.includes(':replay:')) return message.term(`refused\n${text}`);
        received.push(`${message.subject} ${text} ${message.headers['n']}`);
        await message.ack();
      });
    await consume('SCORED', 'scored.>');
    await consume('EVENTS', 'event.>');
    await consume('GROUPS', 'group.>');
  });

  it('lists letters oldest first, page by page, of one stream or all', async () => {
    await giveUp('scored.job.train', ['a', 'b', 'c']);
    await giveUp('event.job.update', ['d']);
    const first = await list({ pageSize: 2 });
    expect(first.deadLetters.map(({ messageId, stream, reason }) => [messageId, stream, reason])).toEqual([
      ['m1', 'SCORED', 'refused a'],
      ['m2', 'SCORED', 'refused b'],
    ]);
    expect(first.deadLetters[0]).toMatchObject({
      subject: 'scored.job.train',
      deliveries: 1,
      headers: { n: 'a' },
      payloadBytes: 1n,
    });
    expect(first.deadLetters[0]!.payload).toHaveLength(0);
    const second = await list({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second.deadLetters.map(({ stream }) => stream)).toEqual(['SCORED', 'EVENTS']);
    expect(second.nextPageToken).toBe('');
    expect((await list({ stream: 'events' })).deadLetters).toHaveLength(1);
  });

  it('shows one with its payload', async () => {
    await giveUp('group.job', ['payload']);
    const { id } = (await list()).deadLetters[0]!;
    const { deadLetter } = await queue.getDeadLetter(create(GetDeadLetterRequestSchema, { id }));
    expect(Buffer.from(deadLetter.payload).toString()).toBe('payload');
    for (const missing of [id + 1n, 0n, 2n ** 60n]) {
      await expect(queue.getDeadLetter(create(GetDeadLetterRequestSchema, { id: missing }))).rejects.toMatchObject({
        code: 'not_found',
        field: 'id',
      });
    }
  });

  it('replays letters by number: all of them or, when one is not there, none', async () => {
    await giveUp('event.job.update', ['a', 'b', 'c']);
    const ids = (await list()).deadLetters.map(({ id }) => id);
    await expect(replay({ ids: [ids[0]!, 9999n] })).rejects.toMatchObject({ code: 'not_found', field: 'ids' });
    await settle();
    expect(received).toEqual([]);
    expect(await replay({ ids: [ids[2]!, ids[0]!, ids[0]!] })).toEqual({ replayed: 2, nextPageToken: '' });
    await settle();
    expect(received).toEqual(['event.job.update c c', 'event.job.update a a']);
    expect((await list()).deadLetters.map(({ id }) => id)).toEqual([ids[1]]);
  });

  it('replays all that are there, of one stream, once: what comes back stays', async () => {
    await giveUp('scored.job.train', ['a', 'always', 'b']);
    await giveUp('event.job.update', ['e']);
    expect(await replay({ all: true, stream: 'SCORED' })).toEqual({ replayed: 3, nextPageToken: '' });
    await settle();
    expect(received).toEqual(['scored.job.rows a a', 'scored.job.rows b b']);
    expect((await list()).deadLetters.map(({ stream, subject }) => [stream, subject])).toEqual([
      ['EVENTS', 'event.job.update'],
      ['SCORED', 'scored.job.rows'],
    ]);
    // A letter of a replay can be replayed.
    await replay({ all: true });
    await settle();
    expect(received).toContain('event.job.update e e');
    expect((await list()).deadLetters.map(({ subject }) => subject)).toEqual(['scored.job.rows']);
  });

  it('replays many in pages that end where the queue ended when it began', async () => {
    await giveUp(
      'event.job.update',
      Array.from({ length: 700 }, (_, i) => (i % 100 === 0 ? 'always' : `${i}`)),
    );
    const first = await replay({ all: true });
    expect(first.replayed).toBe(500);
    await settle();
    const second = await replay({ all: true, pageToken: first.nextPageToken });
    expect(second).toEqual({ replayed: 200, nextPageToken: '' });
    await settle();
    expect(received).toHaveLength(693);
    expect((await list()).deadLetters).toHaveLength(7);
  });

  it.each([
    ['a stream there is not', () => list({ stream: 'WEIGHTS' }), 'stream'],
    ['a page size', () => list({ pageSize: 5000 }), 'page_size'],
    ['a page token', () => list({ pageToken: 'x' }), 'page_token'],
    ['no numbers', () => replay({}), 'ids'],
    ['too many numbers', () => replay({ ids: Array.from({ length: 1001 }, (_, i) => BigInt(i + 1)) }), 'ids'],
  ])('refuses %s', async (_what, call, field) => {
    await expect(call()).rejects.toMatchObject({ code: 'invalid_argument', field });
  });
});
