import { describe, expect, it } from 'vitest';
import { ActorSystem } from '../../src/actor/system.ts';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Durable } from '../../src/protocol/durables.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { publishInParts } from '../../src/protocol/parts.ts';
import { readDeadLetters } from '../../src/protocol/replay.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { Delivery } from './delivery.ts';
import { DONE, KEPT, later, MOVED, refuse, type Settlement } from './outcome.ts';
import { Worker, type WorkerOptions } from './worker.ts';

const DURABLE = { stream: 'GROUPS', durable: 'work', filter: 'group.>', maxInFlight: 4, ackWaitMs: 10_000 } as const;

/** A worker whose messages are words; `handle` says what becomes of each. */
function setUp(
  handle: (word: string, delivery: Delivery) => Settlement | Promise<Settlement>,
  { suspects, until, ...durable }: Partial<Durable> & Pick<WorkerOptions<string>, 'suspects' | 'until'> = {},
) {
  const clock = new VirtualClock();
  const bus = memoryBus({ clock });
  const actors = new ActorSystem({ node: 'node-1', clock, random: seededRandom(1) });
  const handled: { word: string; delivery: number; at: number }[] = [];
  const worker = new Worker<string>(
    { bus, clock, log: silentLogger(), metrics: createMetrics(), actors },
    {
      listedAs: { role: 'reward', name: 'worker' },
      durable: { ...DURABLE, ...durable },
      expects: 'word',
      decode: ({ data }) => {
        if (data.length === 0) throw new MillraceError('invalid_argument', 'it is empty');
        return Buffer.from(data).toString();
      },
      handle: async (word, delivery) => {
        handled.push({ word, delivery: delivery.message.deliveryCount, at: clock.monotonic() });
        return handle(word, delivery);
      },
      ...(suspects && { suspects }),
      ...(until && { until }),
    },
  );
  const run = <T>(work: Promise<T>): Promise<T> => clock.run(work);
  const publish = async (...words: string[]): Promise<void> => {
    for (const word of words) await bus.publish('group.a', Buffer.from(word), { id: word });
  };
  const pass = (ms: number): Promise<void> => run(clock.sleep(ms));
  const left = async (stream = 'GROUPS'): Promise<number> => (await bus.streamState(stream)).messages;
  const deadLetters = async (): Promise<string[]> => {
    const reasons: string[] = [];
    for await (const { reason } of readDeadLetters(bus)) reasons.push(reason);
    return reasons;
  };
  return { clock, bus, actors, worker, handled, run, publish, pass, left, deadLetters };
}

/** Publishes a word in parts. */
const publishLarge = (bus: Bus, clock: VirtualClock, word: string): Promise<void> =>
  publishInParts(
    bus,
    { job: 'a', subject: 'group.a', stub: Buffer.from(word), whole: Buffer.alloc(2_000_000) },
    { id: word, clock, random: seededRandom(1) },
  );

describe('Worker: outcomes', () => {
  it('acknowledges what is done', async () => {
    const { worker, run, publish, pass, left, handled } = setUp(() => DONE);
    await run(worker.start());
    await publish('a', 'b');
    await pass(60_000);
    expect(handled.map(({ word }) => word)).toEqual(['a', 'b']);
    expect(await left()).toBe(0);
    expect(worker.status()).toEqual({ state: 'idle', inFlight: 0, messages: 2, lastError: '', waitingFor: 'messages of GROUPS' });
  });

  it('has a message delivered again after the time that its handler asks for', async () => {
    const { worker, run, publish, pass, left, handled } = setUp((_, { message }) =>
      message.deliveryCount < 3 ? later(7_000) : DONE,
    );
    await run(worker.start());
    await publish('a');
    await pass(60_000);
    expect(handled.map(({ delivery, at }) => [delivery, at])).toEqual([
      [1, 0],
      [2, 7_000],
      [3, 14_000],
    ]);
    expect(await left()).toBe(0);
  });

  it('gives up what its handler refuses, with the reason', async () => {
    const { worker, run, publish, pass, left, deadLetters } = setUp(() => refuse('there is no job "a"'));
    await run(worker.start());
    await publish('a');
    await pass(1);
    expect([await left(), await deadLetters()]).toEqual([0, ['there is no job "a"']]);
    expect(worker).toMatchObject({ refused: 1 });
    expect(worker.status()).toMatchObject({ state: 'idle', messages: 1, lastError: 'there is no job "a"' });
  });

  it('leaves a message to the handler that keeps it', async () => {
    const kept: Delivery[] = [];
    const { worker, run, publish, pass, left } = setUp((_, delivery) => {
      kept.push(delivery);
      return KEPT;
    });
    await run(worker.start());
    await publish('a');
    await pass(60_000);
    expect([await left(), worker.inFlight, kept.length]).toEqual([1, 1, 1]);
    expect(worker.status()).toMatchObject({ state: 'busy', inFlight: 1, messages: 0 });
    await run(kept[0]!.settle(DONE));
    expect([await left(), worker.inFlight, worker.status().messages]).toEqual([0, 0, 1]);
  });

  it('deletes the parts of what is done, and leaves those of what has moved', async () => {
    const { worker, bus, clock, run, pass, left } = setUp((word) => (word === 'done' ? DONE : MOVED));
    await run(worker.start());
    await run(publishLarge(bus, clock, 'done'));
    await pass(1);
    expect([await left(), await left('PARTS')]).toEqual([0, 0]);
    await run(publishLarge(bus, clock, 'moved'));
    await pass(1);
    expect([await left(), await left('PARTS')]).toEqual([0, 3]);
  });

  it('reads parts, and tells its handler when they are lost', async () => {
    const sizes: (number | undefined)[] = [];
    const { worker, bus, clock, run, pass, deadLetters } = setUp(async (word, delivery) => {
      if (word === 'lost') await bus.purge('PARTS', '>');
      const { bytes, lost } = await delivery.parts();
      sizes.push(bytes?.length);
      return lost ?? DONE;
    });
    await run(worker.start());
    await run(publishLarge(bus, clock, 'there'));
    await run(publishLarge(bus, clock, 'lost'));
    await pass(1);
    expect(sizes).toEqual([2_000_000, undefined]);
    expect(await deadLetters()).toEqual(['a message in parts cannot be put together: part 0 of 3 is missing']);
  });
});

describe('Worker: failures', () => {
  it('gives up a message that cannot be read, and goes on with the others', async () => {
    const { worker, bus, run, publish, pass, left, deadLetters, handled } = setUp(() => DONE);
    await run(worker.start());
    await bus.publish('group.a', new Uint8Array(), { id: 'poison' });
    await publish('a');
    await pass(1);
    expect(handled.map(({ word }) => word)).toEqual(['a']);
    expect([await left(), await deadLetters()]).toEqual([0, ['not a word: it is empty']]);
  });

  it('repeats what an infrastructure failure broke off, with growing pauses', async () => {
    const { worker, run, publish, pass, left, handled, deadLetters } = setUp((_, { message }) => {
      if (message.deliveryCount < 4) throw new MillraceError('unavailable', 'the store is away');
      return DONE;
    });
    await run(worker.start());
    await publish('a');
    await pass(1_000);
    expect(worker.status()).toMatchObject({ state: 'idle', lastError: 'the store is away' });
    await pass(60_000);
    expect(handled.map(({ at }) => at)).toEqual([0, 250, 750, 1_750]);
    expect([await left(), await deadLetters()]).toEqual([0, []]);
    expect(worker.status()).toMatchObject({ messages: 4, lastError: '' });
  });

  it('gives up a message whose handler always fails, after its deliveries', async () => {
    const { worker, run, publish, pass, left, handled, deadLetters } = setUp((word) => {
      if (word === 'bad') throw new Error('a defect');
      return DONE;
    });
    await run(worker.start());
    await publish('bad', 'good');
    await pass(60_000);
    expect(handled.filter(({ word }) => word === 'bad')).toHaveLength(5);
    expect([await left(), await deadLetters()]).toEqual([0, ['max_deliveries']]);
  });

  it('has a message delivered again whose acknowledgement was lost', async () => {
    let acks = 0;
    const { worker, bus, run, publish, pass, left, handled } = setUp(() => DONE);
    const consume = bus.consume.bind(bus);
    const losing = (message: BusMessage): BusMessage =>
      Object.assign(Object.create(message) as BusMessage, {
        ack: () => ((acks += 1) === 1 ? Promise.reject(new MillraceError('unavailable', 'no answer')) : message.ack()),
        nak: (delayMs?: number) => message.nak(delayMs),
      });
    bus.consume = (options, handler) => consume(options, (message) => handler(losing(message)));
    await run(worker.start());
    await publish('a');
    await pass(60_000);
    expect(handled.map(({ delivery }) => delivery)).toEqual([1, 2]);
    expect(await left()).toBe(0);
  });
});

describe('Worker: limits', () => {
  it('has no more in hand than it may, by number and by bytes', async () => {
    const running = { now: 0, most: 0 };
    const hold: { clock?: VirtualClock } = {};
    const work = async (): Promise<Settlement> => {
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      await hold.clock!.sleep(100);
      running.now -= 1;
      return DONE;
    };
    for (const [limits, most] of [
      [{}, 4],
      [{ maxBytesInFlight: 2_500 }, 3],
    ] as const) {
      running.most = 0;
      const { clock, worker, run, publish, pass, left } = setUp(work, limits);
      hold.clock = clock;
      await run(worker.start());
      await publish(...Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(1000)));
      await pass(10_000);
      expect([await left(), running.most]).toEqual([0, most]);
    }
  });

  it('keeps a message that takes far longer than the ack wait', async () => {
    const hold: { clock?: VirtualClock } = {};
    const { clock, worker, run, publish, pass, left, handled } = setUp(async () => {
      await hold.clock!.sleep(10 * DURABLE.ackWaitMs);
      return DONE;
    });
    hold.clock = clock;
    await run(worker.start());
    await publish('slow');
    await pass(5 * DURABLE.ackWaitMs);
    expect(worker.status()).toMatchObject({ state: 'busy', inFlight: 1 });
    await pass(20 * DURABLE.ackWaitMs);
    expect([await left(), handled.length]).toEqual([0, 1]);
  });

  it('takes more while messages in hand only wait', async () => {
    const kept: Delivery[] = [];
    const { worker, run, publish, pass } = setUp(
      (_, delivery) => {
        kept.push(delivery);
        return KEPT;
      },
      { suspects: { afterCrash: false } },
    );
    await run(worker.start());
    await publish('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    await pass(1);
    expect(kept).toHaveLength(4);
    worker.extend(2);
    await pass(1);
    expect(kept).toHaveLength(6);
    expect(worker.status()).toMatchObject({ state: 'busy', waitingFor: 'services that 2 of its 6 messages call' });
    worker.extend(6);
    await pass(1);
    expect(worker.status()).toMatchObject({ inFlight: 8, state: 'busy' });
    worker.extend(8);
    expect(worker.status()).toMatchObject({ state: 'idle', waitingFor: 'services that 8 of its 8 messages call' });
  });

  it('runs a message that came again alone, and says so first', async () => {
    const hold: { clock?: VirtualClock } = {};
    const beside: number[] = [];
    let running = 0;
    let suspects = 0;
    const { clock, worker, run, publish, pass, left } = setUp(
      async (word, { message }) => {
        running += 1;
        await hold.clock!.sleep(1_000);
        running -= 1;
        if (word === 'c' && message.deliveryCount === 1) throw new Error('failed once');
        if (message.deliveryCount > 1) beside.push(running);
        return DONE;
      },
      { suspects: { afterCrash: false, onSuspect: () => void (suspects += 1) } },
    );
    hold.clock = clock;
    await run(worker.start());
    await publish('a', 'b', 'c', 'd', 'e', 'f');
    await pass(60_000);
    expect([await left(), beside, suspects]).toEqual([0, [0], 1]);
  });
});

describe('Worker: start and stop', () => {
  it('takes no more once the work of its owner is over, and hands back what is kept', async () => {
    const over = new AbortController();
    const { worker, bus, run, publish, pass, handled } = setUp(() => KEPT, { until: over.signal });
    await run(worker.start());
    await publish('a');
    await pass(10);
    over.abort();
    await publish('b');
    await pass(1_000);
    expect(handled.map(({ word }) => word)).toEqual(['a']);
    expect([worker.status().state, worker.inFlight]).toEqual(['stopped', 0]);
    // Nor does it make its durable again.
    await run(bus.deleteDurable('GROUPS', 'work'));
    await pass(60_000);
    expect(await run(bus.durableState('GROUPS', 'work'))).toBeUndefined();
  });

  it('takes nothing when it is over before it has started', async () => {
    const { worker, run, publish, pass, handled } = setUp(() => DONE, { until: AbortSignal.abort() });
    await publish('a');
    await run(worker.start());
    await run(worker.stop());
    await publish('b');
    await pass(60_000);
    expect(handled.map(({ word }) => word)).not.toContain('b');
    expect(worker.status().state).toBe('stopped');
  });

  it('finishes what is in hand, and takes no more', async () => {
    const hold: { clock?: VirtualClock } = {};
    const { clock, actors, worker, run, publish, pass, left, handled } = setUp(async () => {
      await hold.clock!.sleep(2_000);
      return DONE;
    });
    hold.clock = clock;
    await run(worker.start());
    await publish('a', 'b', 'c', 'd', 'e', 'f');
    await pass(1_000);
    const stopping = worker.stop();
    expect(worker.status().state).toBe('stopping');
    await run(stopping);
    expect([handled.length, await left(), worker.inFlight]).toEqual([4, 2, 0]);
    expect([worker.status().state, actors.list()]).toEqual(['stopped', []]);
  });

  it('hands back what is not finished in time, and tells what waits that it may give up', async () => {
    const hold: { clock?: VirtualClock } = {};
    const gaveUp: number[] = [];
    const { clock, bus, worker, run, publish, pass } = setUp(async (word, { draining }) => {
      if (word === 'waits') await hold.clock!.sleep(60_000, draining).finally(() => gaveUp.push(hold.clock!.monotonic()));
      else await hold.clock!.sleep(60_000);
      return DONE;
    });
    hold.clock = clock;
    await run(worker.start());
    await publish('waits', 'works');
    await pass(100);
    await run(worker.stop(3_000));
    expect([clock.monotonic(), gaveUp]).toEqual([3_100, [100]]);
    const next: [string, number][] = [];
    await run(
      bus.consume(DURABLE, async (message) => {
        next.push([Buffer.from(message.data).toString(), message.deliveryCount]);
        await message.ack();
      }),
    );
    await pass(1_000);
    expect(next.sort()).toEqual([
      ['waits', 2],
      ['works', 2],
    ]);
  });

  it('is listed while it runs, and says when its durable is in the way', async () => {
    const { bus, actors, worker, run, pass } = setUp(() => DONE);
    await run(bus.ensureDurable({ ...DURABLE, filter: 'group.other' }));
    await run(worker.start());
    expect(actors.list()).toMatchObject([
      {
        address: 'node-1/reward/worker',
        state: 'idle',
        mailboxDepth: 0,
        restarts: 0,
        waitingFor: expect.stringMatching(/^durable work of GROUPS to be mended: ./) as string,
      },
    ]);
    expect(() => actors.enlist('reward', 'worker', () => worker.status())).toThrow(/already|there is an actor/);
    await run(bus.deleteDurable('GROUPS', 'work'));
    await bus.publish('group.a', Buffer.from('a'), { id: 'a' });
    await pass(5_000);
    expect(actors.list()).toMatchObject([{ messages: 1, waitingFor: 'messages of GROUPS' }]);
    await run(worker.stop());
  });

  it('is not listed when it cannot start', async () => {
    const { bus, actors, worker, run } = setUp(() => DONE);
    bus.consume = () => Promise.reject(new MillraceError('unavailable', 'no server'));
    await expect(run(worker.start())).rejects.toThrow('no server');
    expect(actors.list()).toEqual([]);
  });
});
