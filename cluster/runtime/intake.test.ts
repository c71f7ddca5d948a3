import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { memoryBus } from '../../src/protocol/memory.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { startIntake } from './intake.ts';

const WORK_MS = 100;

describe('startIntake', () => {
  /** Does work that takes 100 ms; the messages named `again` are handed back at their first delivery. */
  async function take(count: number, { again = [] as string[], afterCrash = false } = {}) {
    const clock = new VirtualClock();
    const bus = memoryBus({ clock });
    const done: { id: string; delivery: number; beside: number }[] = [];
    let running = 0;
    const work = async (message: BusMessage): Promise<void> => {
      const { id, deliveryCount: delivery } = message;
      running += 1;
      const beside = running - 1;
      await clock.sleep(WORK_MS);
      running -= 1;
      if (delivery === 1 && again.includes(id)) return message.nak();
      done.push({ id, delivery, beside });
      await message.ack();
    };
    const durable = { stream: 'GROUPS', durable: 'd', filter: 'group.>', maxInFlight: 4, ackWaitMs: 10_000 } as const;
    const intake = await startIntake({ bus, clock, log: silentLogger() }, durable, { afterCrash, work });
    await clock.run(
      (async () => {
        for (let i = 0; i < count; i++) await bus.publish('group.a', Uint8Array.of(1), { id: `${i}` });
        while (done.length < count) await clock.sleep(WORK_MS / 2);
      })(),
    );
    const tookMs = clock.monotonic();
    await clock.run(intake.stop());
    return { done, tookMs };
  }

  it('works on as many at once as it may', async () => {
    const { done, tookMs } = await take(400);
    expect(Math.max(...done.map(({ beside }) => beside))).toBe(3);
    expect(tookMs).toBeLessThan((400 * WORK_MS) / 3);
  });

  it('runs a message that comes again alone', async () => {
    const { done } = await take(40, { again: ['3', '20', '21'] });
    const suspects = done.filter(({ delivery }) => delivery > 1);
    expect(suspects.map(({ id, beside }) => [id, beside])).toEqual([
      ['3', 0],
      ['20', 0],
      ['21', 0],
    ]);
    // Nobody else was handed back on account of them.
    expect(done.filter(({ delivery }) => delivery === 1)).toHaveLength(37);
  });

  it('is careful for a while after it, then works as before', async () => {
    const { done } = await take(1000, { again: ['3'] });
    const at = done.findIndex(({ delivery }) => delivery > 1);
    // 15 s, one at a time.
    const careful = done.slice(at + 1).findIndex(({ beside }) => beside > 0);
    expect(careful).toBeGreaterThan(140);
    expect(careful).toBeLessThan(160);
    const after = done.slice(at + 1 + careful);
    expect(after.filter(({ beside }) => beside === 0).length).toBeLessThan(after.length / 2);
    expect(after.every(({ delivery }) => delivery === 1)).toBe(true);
  });

  it('begins carefully after a crash', async () => {
    const { done } = await take(200, { afterCrash: true });
    const careful = done.findIndex(({ beside }) => beside > 0);
    expect(careful).toBeGreaterThan(140);
    expect(careful).toBeLessThan(160);
  });

  it('works on every message in whatever order new ones and those that come again arrive', async () => {
    const arrival = fc.record({
      again: fc.boolean(),
      afterMs: fc.integer({ min: 0, max: 3 }),
      takesMs: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 12 }), async (arrivals) => {
        const clock = new VirtualClock();
        let give: Parameters<Bus['consume']>[1] = () => {};
        const consume: Bus['consume'] = (_, handler) => {
          give = handler;
          return Promise.resolve({
            inFlight: 0,
            pending: () => Promise.resolve(0),
            limit: () => {},
            stop: () => Promise.resolve(),
          });
        };
        const running = new Set<number>();
        const done: number[] = [];
        const beside: number[] = [];
        const work = async ({ sequence, deliveryCount }: BusMessage): Promise<void> => {
          running.add(sequence);
          if (deliveryCount > 1) beside.push(running.size - 1);
          await clock.sleep(arrivals[sequence]!.takesMs);
          if (deliveryCount === 1 && arrivals.some(({ again }, i) => again && running.has(i))) beside.push(running.size - 1);
          running.delete(sequence);
          done.push(sequence);
        };
        const durable = { stream: 'GROUPS', durable: 'd', filter: 'group.>', maxInFlight: 4, ackWaitMs: 10 } as const;
        const context = { bus: { consume } as unknown as Bus, clock, log: silentLogger() };
        await startIntake(context, durable, { afterCrash: false, work });
        await clock.run(
          (async () => {
            for (const [sequence, { again, afterMs }] of arrivals.entries()) {
              if (afterMs > 0) await clock.sleep(afterMs);
              void give({ sequence, deliveryCount: again ? 2 : 1 } as BusMessage);
            }
            await clock.sleep(1000);
          })(),
        );
        expect([...done].sort((a, b) => a - b)).toEqual(arrivals.map((_, i) => i));
        expect(beside.every((others) => others === 0)).toBe(true);
      }),
    );
  });
});
