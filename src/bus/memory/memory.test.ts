import { topology } from '../../protocol/topology.ts';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../clock/virtual.ts';
import { CONFORMANCE_TOPOLOGY, busConformance } from '../../conformance/bus.ts';
import type { BusMessage } from '../bus.ts';
import { connectMemory, MemoryBus } from './memory-bus.ts';
import { MemoryServer } from './server.ts';

busConformance('memory bus', () => {
  const clock = new VirtualClock();
  const server = new MemoryServer({ clock, topology: topology(CONFORMANCE_TOPOLOGY) });
  const connections: MemoryBus[] = [];
  return Promise.resolve({
    clock,
    connect() {
      const bus = connectMemory(server);
      connections.push(bus);
      return Promise.resolve({ bus, cut: () => bus.sever() });
    },
    deleteStream: (name) => Promise.resolve(server.deleteStream(name)),
    deleteBucket: (name) => Promise.resolve(server.deleteBucket(name)),
    run: (work) => clock.run(work),
    async stop() {
      await clock.run(Promise.all(connections.map((bus) => bus.close())));
    },
  });
});

describe('memory bus alone', () => {
  it('two runs of the same program see the same deliveries', async () => {
    const play = async (): Promise<string[]> => {
      const clock = new VirtualClock();
      const bus = new MemoryBus({ clock, topology: topology() });
      const other = connectMemory(bus.server);
      const log: string[] = [];
      const options = { stream: 'ROLLOUTS', durable: 'rollout', filter: 'rollout.>', maxInFlight: 2 } as const;
      for (const [name, connection] of [
        ['a', bus],
        ['b', other],
      ] as const) {
        await connection.consume(options, async (m) => {
          log.push(`${clock.monotonic()} ${name} ${m.sequence} ${m.deliveryCount}`);
          await clock.sleep(((m.sequence * 7) % 5) * 10);
          if (m.sequence % 4 === 0 && m.deliveryCount === 1) m.nak(25);
          else await m.ack();
        });
      }
      for (let i = 0; i < 20; i++) await bus.publish(`rollout.j${i % 3}`, Uint8Array.of(i), { id: `${i}` });
      await clock.run(clock.sleep(1000));
      await clock.run(Promise.all([bus.close(), other.close()]));
      return log;
    };
    const first = await play();
    expect(first).toHaveLength(25);
    expect(await play()).toEqual(first);
  });

  it('forgets ids after the duplicate window', async () => {
    const clock = new VirtualClock();
    const bus = new MemoryBus({ clock, topology: topology() });
    await bus.publish('event.a.b', Uint8Array.of(1), { id: 'same' });
    await clock.run(clock.sleep(119_000));
    expect((await bus.publish('event.a.b', Uint8Array.of(1), { id: 'same' })).duplicate).toBe(true);
    await clock.run(clock.sleep(2000));
    expect((await bus.publish('event.a.b', Uint8Array.of(1), { id: 'same' })).duplicate).toBe(false);
    await clock.run(clock.sleep(7 * 86_400_000 + 1));
    expect((await bus.streamState('EVENTS')).messages).toBe(0);
  });

  it('an acknowledgement over a severed connection fails', async () => {
    const clock = new VirtualClock();
    const bus = new MemoryBus({ clock, topology: topology() });
    const taken = new Promise<() => Promise<void>>((resolve) => {
      void bus.consume({ stream: 'GROUPS', durable: 'reward', filter: 'group.>' }, (m) => resolve(() => m.ack()));
    });
    await bus.publish('group.a', Uint8Array.of(1), { id: '1' });
    const ack = await taken;
    bus.sever();
    await expect(ack()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await bus.closed).toMatchObject({ code: 'unavailable' });
  });

  it('a server that is killed forgets the last deliveries and acks, and has again what was settled', async () => {
    const clock = new VirtualClock();
    const server = new MemoryServer({ clock, topology: topology(), killable: true });
    const bus = connectMemory(server);
    const got: string[] = [];
    const kept: BusMessage[] = [];
    await bus.consume({ stream: 'GROUPS', durable: 'reward', filter: 'group.>', ackWaitMs: 1000 }, (message) => {
      got.push(`${message.id} ${message.deliveryCount}`);
      if (message.id !== 'kept') return message.ack();
      kept.push(message);
    });
    const play = async (): Promise<void> => {
      for (const id of ['kept', 'old']) await bus.publish('group.a', Uint8Array.of(1), { id });
      await clock.sleep(500);
      await bus.publish('group.a', Uint8Array.of(1), { id: 'new' });
      await clock.sleep(50);
      server.kill({ durablesMs: 100, removalsMs: 30_000 });
      expect((await bus.streamState('GROUPS')).messages).toBe(3);
      expect((await bus.publish('group.a', Uint8Array.of(1), { id: 'old' })).duplicate).toBe(true);
      await clock.sleep(5000);
    };
    await clock.run(play());
    // The old one is in the stream again, and the durable remembers that it is done with it.
    expect(got).toEqual(['kept 1', 'old 1', 'new 1', 'new 1']);
    expect(await bus.durableState('GROUPS', 'reward')).toMatchObject({ pending: 0, ackPending: 1 });
    await kept[0]!.ack();
    server.kill({ durablesMs: 0, removalsMs: 0 });
    expect(await bus.durableState('GROUPS', 'reward')).toMatchObject({ pending: 0, ackPending: 0 });
    expect((await bus.streamState('GROUPS')).messages).toBe(1);
    await clock.run(bus.close());
  });
});
