import { isDeepStrictEqual } from 'node:util';
import type {
  BusMessage,
  ConsumeOptions,
  Consumer,
  DurableState,
  ListedDurable,
  KeyValue,
  StoredMessage,
  StreamState,
  TopologyPart,
} from '../../src/bus/bus.ts';
import { connectMemory, type MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import { MemoryServer } from '../../src/bus/memory/server.ts';
import type { Topology } from '../../src/bus/topology.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { MillraceError } from '../../src/errors.ts';
import { plain, revived, type Delivery, type RecordedEntry } from './recorded-bus.ts';

type Change = { key: string; value: Uint8Array | undefined; revision: number };

/** What was changed this shortly before a watch ends may still be on its way from a real server, in ms. */
const ON_ITS_WAY_MS = 1000;

/** Does what was recorded once more, in the same order and at the same times, on an in-memory server. Returns what differs, in words. */
export function replay(entries: readonly RecordedEntry[], topology: Topology): Promise<string[]> {
  const clock = new VirtualClock();
  return clock.run(new Replay(clock, topology).run(entries));
}

class Replay {
  readonly #clock: VirtualClock;
  readonly #server: MemoryServer;
  readonly #buses = new Map<string, MemoryBus>();
  readonly #consumers = new Map<unknown, Consumer>();
  readonly #stops = new Map<unknown, () => void>();
  /** When watches were stopped, by name. */
  readonly #stoppedAt = new Map<unknown, number>();
  /** What the twin has given out, by place, sequence and count. */
  readonly #held = new Map<string, BusMessage>();
  readonly #delivered = { real: [] as string[], twin: [] as string[] };
  readonly #changed = { real: new Map<unknown, Change[]>(), twin: new Map<unknown, (Change & { at: number })[]>() };
  readonly #differences: string[] = [];

  constructor(clock: VirtualClock, topology: Topology) {
    this.#clock = clock;
    this.#server = new MemoryServer({ clock, topology });
  }

  async run(entries: readonly RecordedEntry[]): Promise<string[]> {
    for (const [line, entry] of entries.entries()) {
      await this.#clock.sleep(Math.max(0, entry.at - this.#clock.monotonic()));
      const { op, connection } = entry;
      const args = revived(entry.args) as unknown[];
      const outcome = await this.#perform(op, connection, args).then(
        (result) => comparable(op, result),
        (thrown: unknown) => ({ error: MillraceError.from(thrown).code }),
      );
      const real = entry.error === undefined ? comparable(op, revived(entry.result)) : { error: entry.error };
      if (!isSame(outcome, real))
        this.#differences.push(
          `line ${line + 1}: ${connection} ${op} ${brief(entry.args)}: ${brief(real)} on the server, ${brief(outcome)} on the twin`,
        );
    }
    for (const bus of this.#buses.values()) bus.sever();
    this.#compareDeliveries();
    this.#compareChanges();
    return this.#differences;
  }

  #bus(connection: string): MemoryBus {
    const known = this.#buses.get(connection);
    if (known) return known;
    const bus = connectMemory(this.#server);
    this.#buses.set(connection, bus);
    return bus;
  }

  async #perform(op: string, connection: string, args: unknown[]): Promise<unknown> {
    const bus = this.#bus(connection);
    if (op.startsWith('kv.')) return this.#bucket(bus, op.slice('kv.'.length), args);
    switch (op) {
      case 'consume':
        return void this.#consumers.set(args[1], await this.#consume(bus, args[0] as ConsumeOptions));
      case 'limit':
        return this.#consumers.get(args[0])!.limit(args[1] as number);
      case 'stop':
        return this.#consumers.get(args[0])!.stop();
      case 'delivered':
        return void this.#delivered.real.push(args.join(' '));
      case 'changed':
        return void append(this.#changed.real, args[0], args[1] as Change);
      case 'unwatch':
        this.#stoppedAt.set(args[0], this.#clock.monotonic());
        return this.#stops.get(args[0])!();
      case 'ack':
        return this.#message(args).ack();
      case 'nak':
        return this.#message(args).nak(args[3] as number);
      case 'term':
        return this.#message(args).term(args[3] as string);
      case 'read': {
        const messages: StoredMessage[] = [];
        for await (const message of bus.read(...(args as Parameters<MemoryBus['read']>))) messages.push(message);
        return messages;
      }
      default:
        return (bus as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[op]!(...args);
    }
  }

  async #bucket(bus: MemoryBus, op: string, [bucket, ...args]: unknown[]): Promise<unknown> {
    const kv = bus.kv(bucket as string);
    if (op !== 'watch') return (kv[op as keyof KeyValue] as (...args: unknown[]) => Promise<unknown>)(...args);
    const [filter, name] = args as [string, unknown];
    this.#stops.set(name, await kv.watch(filter, (change) => this.#told(name, change)));
    return undefined;
  }

  #told(name: unknown, change: Change): void {
    append(this.#changed.twin, name, { ...change, at: this.#clock.monotonic() });
  }

  #consume(bus: MemoryBus, options: ConsumeOptions): Promise<Consumer> {
    return bus.consume(options, (message) => {
      const delivery: Delivery = [`${options.stream}/${options.durable}`, message.sequence, message.deliveryCount];
      this.#held.set(delivery.join(' '), message);
      this.#delivered.twin.push(delivery.join(' '));
    });
  }

  #message([place, sequence, count]: unknown[]): BusMessage {
    const delivery = [place, sequence, count].join(' ');
    const message = this.#held.get(delivery);
    if (message) return message;
    throw new MillraceError('not_found', `the twin has not given out ${delivery}`);
  }

  #compareDeliveries(): void {
    const [real, twin] = [new Set(this.#delivered.real), new Set(this.#delivered.twin)];
    for (const one of real) if (!twin.has(one)) this.#differences.push(`delivered by the server alone: ${one}`);
    for (const one of twin) if (!real.has(one)) this.#differences.push(`delivered by the twin alone: ${one}`);
  }

  /** What was overwritten before it was told may be left out by either; the newest of each key may not, unless the watch ended just then. */
  #compareChanges(): void {
    const end = this.#clock.monotonic();
    for (const name of new Set([...this.#changed.real.keys(), ...this.#changed.twin.keys()])) {
      const [real, twin] = [this.#changed.real.get(name) ?? [], this.#changed.twin.get(name) ?? []];
      const late = (this.#stoppedAt.get(name) ?? end) - ON_ITS_WAY_MS;
      for (const key of new Set([...real, ...twin].map((change) => change.key))) {
        const ofServer = real.findLast((change) => change.key === key);
        const ofTwin = twin.filter((change) => change.key === key);
        const newest = ofTwin.at(-1);
        // The newest, or one that was overwritten only when it was too late to hear of that.
        const suits = ofTwin.some((change, i) => isSame(ofServer, timeless(change)) && (ofTwin[i + 1]?.at ?? Infinity) >= late);
        if (suits || (ofServer === undefined && (ofTwin[0]?.at ?? 0) >= late)) continue;
        const told = brief(newest && timeless(newest));
        this.#differences.push(`watch ${String(name)} of ${key}: ${brief(ofServer)} by the server, ${told} by the twin`);
      }
    }
  }
}

function timeless({ at: _, ...change }: Change & { at: number }): Change {
  return change;
}

/** What of a result both must have in common: no times, no sizes on disk, no names that a server makes up. */
function comparable(op: string, result: unknown): unknown {
  const without = ({ timeMs: _, ...message }: StoredMessage): unknown => message;
  switch (op) {
    case 'streamState': {
      const { messages, lastSequence } = result as StreamState;
      return { messages, lastSequence };
    }
    case 'durableState': {
      const state = result as DurableState | undefined;
      // What is on its way to a consumer is not the same at every moment.
      return state && { filter: state.filter, open: state.pending + state.ackPending };
    }
    case 'inspectTopology':
      return (result as TopologyPart[]).map(({ created, ...part }) => ({
        ...part,
        problem: part.problem,
        isThere: created !== undefined,
      }));
    case 'durables':
      return (result as ListedDurable[])
        .map(({ durable, filter }) => ({ durable, filter }))
        .sort((a, b) => (a.durable < b.durable ? -1 : 1));
    case 'subjectCounts':
      return [...(result as ReadonlyMap<string, number>)].sort(([a], [b]) => (a < b ? -1 : 1));
    case 'read':
      return (result as StoredMessage[]).map(without);
    case 'last':
      return result === undefined ? undefined : without(result as StoredMessage);
    case 'kv.watch':
    case 'consume':
      return undefined;
    default:
      return result ?? undefined;
  }
}

/** Whether both are written down alike. */
function isSame(a: unknown, b: unknown): boolean {
  const written = (value: unknown): unknown => JSON.parse(JSON.stringify(plain(value)) ?? 'null');
  return isDeepStrictEqual(written(a), written(b));
}

function brief(value: unknown): string {
  return (JSON.stringify(plain(value)) ?? 'nothing').slice(0, 200);
}

function append<T>(map: Map<unknown, T[]>, key: unknown, value: T): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}
