import type { Bus, BusMessage, ConsumeOptions, Consumer, KeyValue, StoredMessage } from '../../src/bus/bus.ts';
import { retryDelayMs } from '../../src/bus/callback.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';

/** One operation on a bus with what came of it, or something that a bus gave to its user. */
export interface RecordedEntry {
  /** Milliseconds since the recording began. */
  at: number;
  /** Whose bus. */
  connection: string;
  /** Method of the bus, `kv.<method>`, `ack`, `nak`, `term`, `limit`, `stop`; or `delivered` and `changed`. */
  op: string;
  args: unknown[];
  result?: unknown;
  /** Code of the error that it ended with. */
  error?: string;
}

/** Where a message was given out: `<stream>/<durable>`, its sequence and how often it was delivered. */
export type Delivery = [place: string, sequence: number, deliveryCount: number];

/**
 * Everything that some connections do on one server, in the order in which the server did it: one operation at a time, so that there is such
 * an order.
 */
export class BusRecording {
  readonly entries: RecordedEntry[] = [];
  readonly #clock: Clock;
  readonly #from: number;
  #turn: Promise<unknown> = Promise.resolve();
  #names = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#from = clock.monotonic();
  }

  /** A name that nothing else in the recording has. */
  name(): number {
    this.#names += 1;
    return this.#names;
  }

  /** Does the work when everything before it is done, and keeps what came of it. */
  run<T>(connection: string, op: string, args: unknown[], work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(async () => {
      const entry = this.note(connection, op, args);
      try {
        const result = await work();
        entry.result = plain(result);
        return result;
      } catch (thrown) {
        entry.error = MillraceError.from(thrown).code;
        throw thrown;
      }
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Notes what has no answer. */
  note(connection: string, op: string, args: unknown[]): RecordedEntry {
    // JSON has no word for an argument that was left out.
    const given = args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);
    const entry: RecordedEntry = { at: this.#clock.monotonic() - this.#from, connection, op, args: plain(given) as unknown[] };
    this.entries.push(entry);
    return entry;
  }

  /** One entry a line, as JSON. */
  lines(): string {
    return this.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }
}

/** The entries of {@link BusRecording.lines}. */
export function parseRecording(lines: string): RecordedEntry[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedEntry);
}

/** As it is written down: bytes as base64. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => typeof one !== 'function')
      .map(([name, one]) => [name, plain(one)]),
  );
}

/** Back from {@link plain}. */
export function revived(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revived);
  if (typeof value !== 'object' || value === null) return value;
  if ('bytes' in value && typeof value.bytes === 'string') return new Uint8Array(Buffer.from(value.bytes, 'base64'));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, revived(one)]));
}

/** A bus whose operations are recorded. What it emits and listens to is not: that has no answer and no order. */
export function recordBus(bus: Bus, connection: string, recording: BusRecording): Bus {
  const run = <T>(op: string, args: unknown[], work: () => Promise<T>): Promise<T> => recording.run(connection, op, args, work);
  return {
    ensureTopology: () => run('ensureTopology', [], () => bus.ensureTopology()),
    inspectTopology: () => run('inspectTopology', [], () => bus.inspectTopology()),
    publish: (...args) => run('publish', args, () => bus.publish(...args)),
    ensureDurable: (...args) => run('ensureDurable', args, () => bus.ensureDurable(...args)),
    deleteDurable: (...args) => run('deleteDurable', args, () => bus.deleteDurable(...args)),
    durables: (...args) => run('durables', args, () => bus.durables(...args)),
    purge: (...args) => run('purge', args, () => bus.purge(...args)),
    deleteMessage: (...args) => run('deleteMessage', args, () => bus.deleteMessage(...args)),
    streamState: (...args) => run('streamState', args, () => bus.streamState(...args)),
    subjectCounts: (...args) => run('subjectCounts', args, () => bus.subjectCounts(...args)),
    durableState: (...args) => run('durableState', args, () => bus.durableState(...args)),
    last: (...args) => run('last', args, () => bus.last(...args)),
    async *read(...args) {
      yield* await run('read', args, async () => {
        const messages: StoredMessage[] = [];
        for await (const message of bus.read(...args)) messages.push(message);
        return messages;
      });
    },
    kv: (bucket) => recordBucket(bus.kv(bucket), bucket, { connection, recording }),
    consume: (options, handler) => recordConsumer(bus, { connection, recording }, options, handler),
    emit: (...args) => bus.emit(...args),
    listen: (...args) => bus.listen(...args),
    get maxMessageBytes() {
      return bus.maxMessageBytes;
    },
    closed: bus.closed,
    close: () => bus.close(),
  };
}

interface Recorded {
  connection: string;
  recording: BusRecording;
}

function recordBucket(inner: KeyValue, bucket: string, { connection, recording }: Recorded): KeyValue {
  const run = <T>(op: string, args: unknown[], work: () => Promise<T>): Promise<T> =>
    recording.run(connection, `kv.${op}`, [bucket, ...args], work);
  return {
    ttlMs: inner.ttlMs,
    get: (...args) => run('get', args, () => inner.get(...args)),
    put: (...args) => run('put', args, () => inner.put(...args)),
    create: (...args) => run('create', args, () => inner.create(...args)),
    update: (...args) => run('update', args, () => inner.update(...args)),
    delete: (...args) => run('delete', args, () => inner.delete(...args)),
    keys: (...args) => run('keys', args, () => inner.keys(...args)),
    async watch(filter, handler) {
      const name = recording.name();
      const stop = await run('watch', [filter, name], () =>
        inner.watch(filter, (change) => {
          recording.note(connection, 'changed', [name, change]);
          handler(change);
        }),
      );
      return () => {
        recording.note(connection, 'unwatch', [name]);
        stop();
      };
    },
  };
}

async function recordConsumer(
  bus: Bus,
  { connection, recording }: Recorded,
  options: ConsumeOptions,
  handler: (message: BusMessage) => void | Promise<void>,
): Promise<Consumer> {
  const name = recording.name();
  const place = `${options.stream}/${options.durable}`;
  let consumer!: Consumer;
  await recording.run(connection, 'consume', [options, name], async () => {
    consumer = await bus.consume(options, async (message) => {
      const delivery: Delivery = [place, message.sequence, message.deliveryCount];
      recording.note(connection, 'delivered', delivery);
      try {
        await handler(recordMessage(message, delivery, { connection, recording }));
      } catch (thrown) {
        recording.note(connection, 'nak', [...delivery, retryDelayMs(message.deliveryCount)]);
        throw thrown;
      }
    });
  });
  return {
    get inFlight() {
      return consumer.inFlight;
    },
    pending: () => consumer.pending(),
    limit(maxInFlight) {
      recording.note(connection, 'limit', [name, maxInFlight]);
      consumer.limit(maxInFlight);
    },
    async stop(timeoutMs) {
      await consumer.stop(timeoutMs);
      recording.note(connection, 'stop', [name]);
    },
  };
}

function recordMessage(message: BusMessage, delivery: Delivery, { connection, recording }: Recorded): BusMessage {
  const { subject, data, headers, id, sequence, deliveryCount } = message;
  return {
    ...{ subject, data, headers, id, sequence, deliveryCount },
    ack: () => recording.run(connection, 'ack', delivery, () => message.ack()),
    nak(delayMs = 0) {
      recording.note(connection, 'nak', [...delivery, delayMs]);
      message.nak(delayMs);
    },
    term(reason) {
      recording.note(connection, 'term', [...delivery, reason]);
      message.term(reason);
    },
  };
}
