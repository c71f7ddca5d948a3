import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { Random } from '../../src/random/random.ts';

/** How long what a server does by itself takes at most, in ms: giving out a message, burying one. */
const SETTLE_MS = 15;
const BURY_MS = 60;

const SUBJECTS = [
  ...['event.x.a', 'event.x.b', 'weights.one.1.x', 'weights.one.1.y', 'group.p', 'group.q', 'rollout.r', 'rollout.s'],
  ...['scored.s.train', 'scored.t.train', 'nowhere.x', 'event..x', 'event.*'],
];
const STREAMS = ['EVENTS', 'WEIGHTS', 'GROUPS', 'ROLLOUTS', 'SCORED', 'DLQ'];
const FILTERS = ['event.>', 'event.x.a', 'group.p', 'weights.one.1.*', 'rollout.s', 'scored.>', 'bad..filter'];
const READS = [
  ...([
    ['EVENTS', '>'],
    ['EVENTS', 'event.*.b'],
    ['WEIGHTS', 'weights.one.1.x'],
    ['GROUPS', 'group.q'],
    ['GROUPS', 'bad..filter'],
  ] as const),
  ...([
    ['ROLLOUTS', '>'],
    ['SCORED', 'scored.t.>'],
    ['DLQ', 'dlq.>'],
  ] as const),
] as const;
const KEYS = ['k.a', 'k.b', 'm.a', 'not a key'];
const DURABLES = [
  { stream: 'GROUPS', durable: 'reward', filter: 'group.>' },
  { stream: 'GROUPS', durable: 'reward', filter: 'group.p' },
  { stream: 'GROUPS', durable: 'other', filter: 'group.q' },
  { stream: 'ROLLOUTS', durable: 'work', filter: 'rollout.r' },
  { stream: 'SCORED', durable: 'writer', filter: 'scored.>' },
  { stream: 'SCORED', durable: 'trainer', filter: 'scored.s.train' },
];

/** Options of {@link randomOperations}. */
export interface RandomOperationsOptions {
  buses: readonly Bus[];
  random: Random;
  clock: Clock;
  operations: number;
}

/** Does this and that on a bus, right and wrong, so that ids, sequences, revisions, filters and limits meet in many ways. */
export async function randomOperations({ buses, random, clock, operations }: RandomOperationsOptions): Promise<void> {
  const oneOf = <T>(values: readonly T[]): T => values[random.integer(values.length)]!;
  const bytes = (): Uint8Array => new TextEncoder().encode(`content ${random.integer(3)}`);
  const held: BusMessage[] = [];
  const take = (message: BusMessage): void => void held.push(message);
  const consumers = await Promise.all(
    [
      { stream: 'GROUPS', durable: 'p', filter: 'group.p', maxInFlight: 2 },
      { stream: 'ROLLOUTS', durable: 's', filter: 'rollout.s', maxInFlight: 3, maxAckPending: 2 },
      { stream: 'SCORED', durable: 'all', filter: 'scored.*.train', maxInFlight: 4 },
    ].map((options, i) => buses[i % buses.length]!.consume(options, take)),
  );
  let revision = 0;
  let sequence = 0;
  const near = (number: number): number => Math.max(0, number - random.integer(4));

  const bucket = async (bus: Bus): Promise<void> => {
    const kv = bus.kv(oneOf(['jobs', 'policies']));
    const key = oneOf(KEYS);
    switch (random.integer(6)) {
      case 0:
        return void (revision = await kv.put(key, bytes()));
      case 1:
        return void (revision = await kv.create(key, bytes()));
      case 2:
        return void (revision = await kv.update(key, bytes(), (await kv.get(key))?.revision ?? near(revision)));
      case 3:
        return void (revision = await kv.update(key, bytes(), near(revision)));
      case 4:
        return kv.delete(key, random.integer(2) === 0 ? undefined : near(revision));
      default:
        return void (await kv.keys(oneOf(['>', 'k.*', 'm.a'])));
    }
  };
  const settle = async (): Promise<void> => {
    const [message] = held.splice(random.integer(held.length || 1), 1);
    if (!message) return;
    const how = random.integer(5);
    if (how === 0) message.nak(random.integer(2) * 30);
    else if (how === 1) message.term('no use');
    else await message.ack();
    if (how < 2) await clock.sleep(BURY_MS);
  };
  const step = async (): Promise<void> => {
    const bus = oneOf(buses);
    const kind = random.integer(25);
    if (kind === 24) {
      // Until the stream is full, sooner or later.
      for (let left = random.integer(20); left > 0; left -= 1)
        await bus.publish('rollout.r', bytes(), { id: `many-${random.integer(1000)}` });
    } else if (kind < 8) {
      const ack = await bus.publish(oneOf(SUBJECTS), bytes(), { id: `id-${random.integer(12)}`, headers: { n: `${kind}` } });
      sequence = ack.sequence;
    } else if (kind < 13) await bucket(bus);
    else if (kind < 17) await settle();
    else if (kind === 17) await bus.deleteMessage(oneOf(STREAMS.slice(0, 3)), near(sequence) + 1);
    else if (kind === 18) await bus.purge(oneOf(STREAMS.slice(0, 2)), oneOf(FILTERS));
    else if (kind === 19) {
      const [stream, filter] = oneOf(READS);
      for await (const _ of bus.read(stream, filter, near(sequence) + 1));
    } else if (kind === 20) await bus.last(oneOf(STREAMS), oneOf(SUBJECTS));
    else if (kind === 21) await bus.streamState(oneOf(STREAMS), oneOf([undefined, ...FILTERS.slice(0, -1)]));
    else if (kind === 22) await bus.ensureDurable(oneOf(DURABLES));
    else {
      const { stream, durable } = oneOf(DURABLES);
      if (random.integer(2) === 0) await bus.deleteDurable(stream, durable);
      else await bus.durableState(stream, durable);
    }
  };

  for (let i = 0; i < operations; i += 1) {
    // What is refused is recorded like everything else.
    await step().catch(() => {});
    await clock.sleep(SETTLE_MS);
  }
  while (held.length > 0) {
    await held.pop()!.ack();
    await clock.sleep(SETTLE_MS);
  }
  await Promise.all(consumers.map((consumer) => consumer.stop()));
}
