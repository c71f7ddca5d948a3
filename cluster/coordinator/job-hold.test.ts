import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import type { StoredMessage } from '../../src/bus/bus.ts';
import { Purpose, RolloutRequestSchema } from '../../src/gen/millrace/v1/training_pb.ts';
import { SharedLooks } from './shared-looks.ts';
import { JobHold } from './job-hold.ts';

let hold: JobHold | undefined;
afterEach(() => hold?.close());

it('sends requests again when stream HELD was emptied', async () => {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  const context = await clock.run(nodes.node('one'));
  hold = new JobHold(context, 'a', { attempt: () => 1, looks: new SharedLooks(context) });
  const { bus } = context;
  const put = (sequence: number): Promise<unknown> => {
    const request = create(RolloutRequestSchema, {
      job: 'a',
      id: `a:${sequence}`,
      sequence: BigInt(sequence),
      purpose: Purpose.TRAIN,
    });
    const why = { afterMs: 600_000, reason: 'HTTP 429', source: "tool 'search'" };
    const headers = {
      'Millrace-Held-Subject': 'rollout.a',
      'Millrace-Held-Id': request.id,
      'Millrace-Held-Retry': encodeURIComponent(JSON.stringify(why)),
    };
    return clock.run(bus.publish('held.a', toBinary(RolloutRequestSchema, request), { id: `held.a:${sequence}`, headers }));
  };
  await put(3);
  await put(4);
  await clock.run(hold.check(true));
  expect([hold.holdsSequence(3), hold.holdsSequence(4), hold.active?.held, hold.requestsLost()]).toEqual([true, true, 2, false]);

  await clock.run(bus.purge('HELD', 'held.a'));
  expect(hold.requestsLost()).toBe(false);
  // As long as between two looks.
  await clock.run(clock.sleep(1_000));
  await clock.run(hold.check(true));
  expect([hold.holdsSequence(3), hold.active?.held]).toEqual([false, 0]);
  expect([hold.requestsLost(), hold.requestsLost()]).toEqual([true, false]);
  await clock.run(clock.sleep(120_000));
  expect(hold.requestsLost()).toBe(false);
  await clock.run(clock.sleep(11_000));
  expect([hold.requestsLost(), hold.requestsLost()]).toEqual([true, false]);

  // What is held from then on is seen.
  await put(5);
  await clock.run(hold.check(true));
  expect([hold.holdsSequence(5), hold.requestsLost()]).toEqual([true, false]);
});

it('keeps what is held of the present attempt of evaluations, also after a stream was lost, and drops the rest', async () => {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  const context = await clock.run(nodes.node('one'));
  let attempt = 1;
  hold = new JobHold(context, 'a', { attempt: () => attempt, looks: new SharedLooks(context) });
  for (const of of [1, 2]) {
    const request = create(RolloutRequestSchema, { job: 'a', id: `a:trained@3:${of}`, purpose: Purpose.EVALUATE, attempt: of });
    const headers = { 'Millrace-Held-Subject': 'rollout.a', 'Millrace-Held-Id': request.id };
    await clock.run(context.bus.publish('held.a', toBinary(RolloutRequestSchema, request), { id: `held.a:${of}`, headers }));
  }
  attempt = 2;
  await clock.run(hold.check(false));
  expect([hold.holdsRequest('a:trained@3:1'), hold.holdsRequest('a:trained@3:2')]).toEqual([false, true]);
});

it('gives up what is no held message, and returns what lies behind it', async () => {
  const nodes = new MemoryNodes('/state');
  const { clock } = nodes;
  const context = await clock.run(nodes.node('one'));
  hold = new JobHold(context, 'a', { attempt: () => 1, looks: new SharedLooks(context) });
  const { bus } = context;
  const put = (id: string, data: Uint8Array, headers: Record<string, string>): Promise<unknown> =>
    clock.run(bus.publish('held.a', data, { id, headers }));
  const request = create(RolloutRequestSchema, { job: 'a', id: 'a:3', sequence: 3n, purpose: Purpose.TRAIN });
  const bytes = toBinary(RolloutRequestSchema, request);
  await put('nowhere', new Uint8Array([1, 2, 3]), {});
  await put('elsewhere', bytes, { 'Millrace-Held-Subject': 'rollout.b', 'Millrace-Held-Id': 'b:3' });
  await put('held.a:3', bytes, { 'Millrace-Held-Subject': 'rollout.a', 'Millrace-Held-Id': 'a:3' });
  await clock.run(hold.check(true));
  expect(await clock.run(bus.streamState('HELD'))).toMatchObject({ messages: 0 });
  expect(await clock.run(bus.last('ROLLOUTS', 'rollout.a'))).toMatchObject({ id: 'a:3:held:3', data: bytes });
  const letters: StoredMessage[] = [];
  const readLetters = async (): Promise<void> => {
    for await (const letter of bus.read('DLQ', 'dlq.HELD')) letters.push(letter);
  };
  await clock.run(readLetters());
  expect(letters.map(({ id, data }) => [id, [...data.slice(0, 3)]])).toEqual([
    ['dlq:HELD:1', [1, 2, 3]],
    ['dlq:HELD:2', [...bytes.slice(0, 3)]],
  ]);
  expect(letters[0]!.headers['Millrace-Dead-Reason']).toBe('not a held message: it does not say where it came from');
});
