/** Process that takes messages of a stream and acknowledges them, and does nothing else: the limit of the bus. */
import type { Bus, Consumer } from '../../src/bus/bus.ts';
import { connectBus } from '../../src/protocol/connect.ts';
import { MillraceError } from '../../src/errors.ts';
import { REWARD_WORK } from '../../src/protocol/durables.ts';
import { serveOrders } from '../load/worker.ts';

/** What it can be told. */
export type ConsumerOrder =
  | { kind: 'open'; natsUrl: string }
  /** Begins a turn: the next `take` counts from here. */
  | { kind: 'reset' }
  /** Waits until `messages` have been acknowledged since the last `reset`. */
  | { kind: 'take'; messages: number };

/** What was taken. */
export interface ConsumerResult {
  messages: number;
  bytes: number;
  /** Unix times in ms. */
  firstMs: number;
  lastMs: number;
}

const NOTHING: ConsumerResult = { messages: 0, bytes: 0, firstMs: 0, lastMs: 0 };
const IN_FLIGHT = 128;

let bus: Bus | undefined;
let consumer: Consumer | undefined;
let taken = { ...NOTHING };
let wake = (): void => {};

serveOrders<ConsumerOrder, ConsumerResult>(
  async (order) => {
    switch (order.kind) {
      case 'open':
        bus = await connectBus({ servers: order.natsUrl, name: 'bench-consumer' });
        // The store node has made the reward workers' durable, and a work queue has one durable a subject. No reward worker runs here.
        if (await bus.durableState('GROUPS', REWARD_WORK.durable)) await bus.deleteDurable('GROUPS', REWARD_WORK.durable);
        consumer = await bus.consume(
          { stream: 'GROUPS', durable: 'bench', filter: 'group.>', maxInFlight: IN_FLIGHT, maxAckPending: 8 * IN_FLIGHT },
          async (message) => {
            await message.ack();
            const now = performance.timeOrigin + performance.now();
            if (taken.messages === 0) taken.firstMs = now;
            taken.lastMs = now;
            taken.messages += 1;
            taken.bytes += message.data.length;
            wake();
          },
        );
        return taken;
      case 'reset':
        taken = { ...NOTHING };
        return taken;
      case 'take':
        if (consumer === undefined) throw new MillraceError('failed_precondition', 'the consumer is not connected');
        while (taken.messages < order.messages) await new Promise<void>((resolve) => (wake = resolve));
        return taken;
    }
  },
  async () => {
    await consumer?.stop(1000);
    await bus?.close();
  },
);
