import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { MillraceError } from '../errors.ts';
import { seededRandom } from '../random/seeded.ts';
import type { Behaviour, AskReply } from './behaviour.ts';
import { ActorSystem } from './system.ts';

function setUp() {
  const clock = new VirtualClock();
  const failed: { address: string; error: MillraceError }[] = [];
  const lines: string[] = [];
  const log = {
    warn: (_: object, message: string) => lines.push(message),
    error: (_: object, message: string) => lines.push(message),
  };
  const system = new ActorSystem({
    node: 'node-1',
    clock,
    random: seededRandom(7),
    log,
    onFailed: (address, error) => failed.push({ address, error }),
  });
  return { clock, system, failed, lines };
}

/** A promise settled from outside. */
function gate(): { open: () => void; opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe('ActorSystem', () => {
  it('handles messages one at a time, in order, each once, with the actor falling over in between', async () => {
    const script = fc.array(fc.record({ throws: fc.boolean(), takesMs: fc.integer({ min: 0, max: 3 }) }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(script, fc.integer({ min: 1, max: 4 }), async (messages, mailboxCapacity) => {
        const { clock, system } = setUp();
        const seen: number[] = [];
        let running = 0;
        const ref = system.spawn<number>(
          'test',
          'worker',
          {
            async receive(i) {
              running += 1;
              expect(running).toBe(1);
              seen.push(i);
              await clock.sleep(messages[i]?.takesMs ?? 0);
              running -= 1;
              if (messages[i]?.throws) throw new Error(`message ${i}`);
            },
          },
          { mailboxCapacity, supervision: { maxRestarts: 1000 } },
        );
        const all = Promise.all(messages.map((_, i) => ref.send(i, 1e9)));
        await clock.run(all);
        await clock.run(ref.ask<void>((reply) => (reply.resolve(), messages.length), 1e9));
        while (ref.status().state !== 'idle') await clock.run(clock.sleep(1000));
        expect(seen).toEqual([...messages.keys(), messages.length]);
        expect(ref.status().restarts).toBe(messages.filter((m) => m.throws).length);
        await clock.run(system.stop());
      }),
      { numRuns: 30 },
    );
  });

  it('handles a failed message again, before the others, with failedMessage retry', async () => {
    const { clock, system } = setUp();
    const seen: string[] = [];
    const ref = system.spawn<string>(
      'test',
      'worker',
      {
        receive(message) {
          seen.push(message);
          if (seen.length < 3) throw new Error('not yet');
        },
      },
      { supervision: { failedMessage: 'retry' } },
    );
    ref.tell('a');
    ref.tell('b');
    await clock.run(clock.sleep(5000));
    expect(seen).toEqual(['a', 'a', 'a', 'b']);
    expect(ref.status()).toMatchObject({ state: 'idle', restarts: 2, messages: 4, mailboxDepth: 0 });
  });

  it('bounds the mailbox: tell refuses, send waits and gives up in time', async () => {
    const { clock, system } = setUp();
    const { open, opened } = gate();
    const seen: number[] = [];
    const ref = system.spawn<number>(
      'test',
      'worker',
      {
        async receive(i) {
          await opened;
          seen.push(i);
        },
      },
      { mailboxCapacity: 2 },
    );
    expect(ref.tell(0)).toBe(true);
    await clock.run(clock.sleep(1));
    expect([ref.tell(1), ref.tell(2), ref.tell(3)]).toEqual([true, true, false]);
    expect(ref.status()).toMatchObject({ mailboxDepth: 2, state: 'busy' });
    const late = ref.send(4, 100);
    const patient = ref.send(5, 60_000);
    await expect(clock.run(late)).rejects.toMatchObject({ code: 'resource_exhausted', retryable: true });
    open();
    await clock.run(patient);
    await clock.run(clock.sleep(1));
    expect(seen).toEqual([0, 1, 2, 5]);
  });

  it('gives up after too many restarts, tells the node and refuses what waits', async () => {
    const { clock, system, failed, lines } = setUp();
    const ref = system.spawn<AskReply<void>>(
      'test',
      'worker',
      {
        receive() {
          throw new MillraceError('internal', 'broken for good');
        },
      },
      { supervision: { maxRestarts: 2 } },
    );
    const asks = [1, 2, 3, 4].map(() => ref.ask<void>((reply) => reply).catch((error: unknown) => error));
    const errors = await clock.run(Promise.all(asks));
    for (const error of errors) expect(error).toMatchObject({ code: 'unavailable' });
    expect(failed).toEqual([
      { address: 'node-1/test/worker', error: expect.objectContaining({ message: 'broken for good' }) as unknown },
    ]);
    expect(system.list()).toEqual([
      {
        address: 'node-1/test/worker',
        state: 'failed',
        mailboxDepth: 0,
        restarts: 2,
        waitingFor: '',
        messages: 3,
        inFlight: 0,
        lastError: 'broken for good',
      },
    ]);
    expect(ref.tell({} as AskReply<void>)).toBe(false);
    expect(lines.filter((line) => line.startsWith('message dropped'))).toHaveLength(3);
    expect(lines).toContain('messages dropped: the actor ended');
  });

  it('lists workers among the actors, at addresses of their own', () => {
    const { system } = setUp();
    const status = { state: 'busy', inFlight: 2, messages: 7, lastError: '', waitingFor: '' } as const;
    const unlist = system.enlist('test', 'b', () => status);
    system.spawn('test', 'a', { receive() {} });
    expect(system.list()).toMatchObject([
      { address: 'node-1/test/a', state: 'starting', inFlight: 0 },
      { address: 'node-1/test/b', mailboxDepth: 0, restarts: 0, ...status },
    ]);
    expect(() => system.enlist('test', 'a', () => status)).toThrow(/there is an actor at node-1\/test\/a/);
    expect(() => system.spawn('test', 'b', { receive() {} })).toThrow(/there is an actor at node-1\/test\/b/);
    unlist();
    expect(system.list().map(({ address }) => address)).toEqual(['node-1/test/a']);
  });

  it('counts the message in hand, and keeps the last failure until a message is handled', async () => {
    const { clock, system } = setUp();
    const ref = system.spawn<string>('test', 'worker', {
      async receive(message) {
        await clock.sleep(10);
        if (message === 'bad') throw new Error('it was bad');
      },
    });
    ref.tell('bad');
    await clock.run(clock.sleep(5));
    expect(ref.status()).toMatchObject({ inFlight: 1, lastError: '' });
    await clock.run(clock.sleep(1000));
    expect(ref.status()).toMatchObject({ inFlight: 0, lastError: 'it was bad' });
    ref.tell('good');
    await clock.run(clock.sleep(1000));
    expect(ref.status()).toMatchObject({ inFlight: 0, lastError: '' });
  });

  it('starts with fresh state after a restart when given a function, and stops the old one', async () => {
    const { clock, system } = setUp();
    const events: string[] = [];
    let lives = 0;
    const make = (): Behaviour<string> => {
      const life = ++lives;
      let count = 0;
      return {
        start: () => void events.push(`start ${life}`),
        receive(message) {
          count += 1;
          events.push(`${message} ${life}.${count}`);
          if (message === 'bad') throw new Error('bad');
        },
        stop: () => void events.push(`stop ${life}`),
      };
    };
    const ref = system.spawn('test', 'worker', make);
    for (const message of ['a', 'bad', 'b']) ref.tell(message);
    await clock.run(clock.sleep(1000));
    await clock.run(ref.stop());
    expect(events).toEqual(['start 1', 'a 1.1', 'bad 1.2', 'stop 1', 'start 2', 'b 2.1', 'stop 2']);
  });

  it('restarts when start throws, also when the function that makes the behaviour does', async () => {
    const { clock, system } = setUp();
    let attempts = 0;
    const ref = system.spawn<AskReply<number>>('test', 'worker', () => {
      attempts += 1;
      if (attempts === 1) throw new Error('cannot be made');
      return {
        start() {
          if (attempts === 2) throw new Error('cannot start');
        },
        receive: (reply) => reply.resolve(attempts),
      };
    });
    expect(await clock.run(ref.ask<number>((reply) => reply))).toBe(3);
    expect(ref.status().restarts).toBe(2);
  });

  it('answers ask, and bounds it', async () => {
    const { clock, system } = setUp();
    const ref = system.spawn<{ reply: AskReply<number>; answer: boolean }>('test', 'worker', {
      receive({ reply, answer }) {
        if (answer) reply.resolve(42);
      },
    });
    expect(await clock.run(ref.ask<number>((reply) => ({ reply, answer: true })))).toBe(42);
    await expect(clock.run(ref.ask<number>((reply) => ({ reply, answer: false }), 500))).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  it('says what an actor waits for while it handles a message or after it has started', async () => {
    const { clock, system } = setUp();
    const ref = system.spawn<string>('test', 'worker', {
      start: (context) => context.waitingFor('weights of version 3'),
      async receive(message, context) {
        context.waitingFor(message);
        await context.clock.sleep(100, context.signal);
      },
    });
    await clock.run(clock.sleep(1));
    expect(system.list()[0]).toMatchObject({ state: 'idle', waitingFor: 'weights of version 3' });
    ref.tell('the store');
    await clock.run(clock.sleep(50));
    expect(system.list()[0]).toMatchObject({ state: 'busy', waitingFor: 'the store' });
    await clock.run(clock.sleep(100));
    expect(system.list()[0]).toMatchObject({ state: 'idle', waitingFor: '' });
  });

  it('ends the wait of the message in hand when stopped, and of a restart', async () => {
    const { clock, system } = setUp();
    const busy = system.spawn<string>('test', 'busy', { receive: (_, context) => context.clock.sleep(1e6, context.signal) });
    const fallen = system.spawn<string>('test', 'fallen', { receive: () => Promise.reject(new Error('down')) });
    busy.tell('x');
    fallen.tell('x');
    await clock.run(clock.sleep(10));
    expect(system.list().map((actor) => actor.state)).toEqual(['busy', 'restarting']);
    const before = clock.monotonic();
    await clock.run(system.stop());
    expect(clock.monotonic()).toBe(before);
    expect(system.list()).toEqual([]);
    await expect(busy.send('y')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('does not wait for ever for a message that does not end', async () => {
    const { clock, system, lines } = setUp();
    const { open, opened } = gate();
    const ref = system.spawn<string>('test', 'stuck', { receive: () => opened });
    ref.tell('x');
    await clock.run(clock.sleep(1));
    await clock.run(ref.stop(2000));
    expect(clock.monotonic()).toBe(2001);
    expect(lines).toContain('actor still runs');
    expect(ref.status().state).toBe('stopping');
    open();
    await clock.run(clock.sleep(1));
    expect(ref.status().state).toBe('stopped');
  });

  it('ends at once on a permanent error, and tells of every restart after any other', async () => {
    const { clock, system } = setUp();
    const told: string[] = [];
    const throwing = (error: Error) => ({ start: () => Promise.reject(error), receive: () => undefined });
    const options = (name: string) => ({
      onRestart: (error: MillraceError) => void told.push(`${name} restarts: ${error.message}`),
      onFailed: (error: MillraceError) => void told.push(`${name} failed: ${error.message}`),
      supervision: { maxRestarts: 2 },
    });
    system.spawn('test', 'a', throwing(new MillraceError('invalid_argument', 'too large')), options('a'));
    await clock.run(clock.sleep(1));
    expect(told).toEqual(['a failed: too large']);
    system.spawn('test', 'b', throwing(new TypeError('defect')), options('b'));
    await clock.run(clock.sleep(10_000));
    expect(told.slice(1)).toEqual(['b restarts: defect', 'b restarts: defect', 'b failed: defect']);
  });

  it('has one actor at an address; a failed one is replaced', async () => {
    const { clock, system } = setUp();
    const bad = system.spawn<string>(
      'test',
      'x',
      { receive: () => Promise.reject(new Error('no')) },
      { supervision: { maxRestarts: 0 } },
    );
    expect(() => system.spawn('test', 'x', { receive: () => undefined })).toThrow(
      expect.objectContaining({ code: 'already_exists' }),
    );
    bad.tell('go');
    await clock.run(clock.sleep(1));
    system.spawn('test', 'x', { receive: () => undefined });
    await clock.run(clock.sleep(1));
    expect(system.list().map((actor) => actor.state)).toEqual(['idle']);
  });

  it('leaves the event loop turns of its own while actors keep each other busy', async () => {
    const { system, clock } = setUp();
    let rounds = 0;
    const ping = system.spawn<number>('test', 'ping', { receive: (n) => void pong.tell(n + 1) });
    const pong = system.spawn<number>('test', 'pong', {
      receive(n) {
        rounds = n;
        ping.tell(n + 1);
      },
    });
    ping.tell(0);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(rounds).toBeGreaterThan(100);
    await ping.stop();
    await pong.stop();
    expect(clock.monotonic()).toBe(0);
  });

  it('gives the same history twice with the same seed', async () => {
    const history = async (): Promise<string[]> => {
      const { clock, system } = setUp();
      const events: string[] = [];
      for (const name of ['a', 'b', 'c']) {
        const ref = system.spawn<number>('test', name, {
          async receive(i) {
            await clock.sleep(i);
            events.push(`${clock.monotonic()} ${name} ${i}`);
            if (i % 3 === 0) throw new Error('again');
          },
        });
        for (let i = 0; i < 10; i++) ref.tell(i);
      }
      await clock.run(clock.sleep(100_000));
      return events;
    };
    const first = await history();
    expect(first).toHaveLength(30);
    expect(await history()).toEqual(first);
  });
});
