import { MillraceError } from '../../errors.ts';
import type {
  Bus,
  BusMessage,
  ConsumeOptions,
  Consumer,
  DurableState,
  KeyValue,
  ListedDurable,
  PublishAck,
  PublishOptions,
  StoredMessage,
  StreamState,
  TopologyPart,
} from '../bus.ts';
import { checkFilter, checkSubject, subjectMatches } from '../subject.ts';
import { MemoryConsumer } from './consumer.ts';
import { MemoryServer, type MemoryServerOptions } from './server.ts';

/** Options of {@link MemoryBus}: those of a server of its own, or the server to connect to. */
export type MemoryBusOptions = MemoryServerOptions | { server: MemoryServer };

/** A new connection; each stands for one node. */
export function connectMemory(server: MemoryServer): MemoryBus {
  return new MemoryBus({ server });
}

/** A connection to a {@link MemoryServer}: the Bus of serial mode, tests and simulation. */
export class MemoryBus implements Bus {
  /** What this connection shares with others: {@link connectMemory} makes another one. */
  readonly server: MemoryServer;
  readonly closed: Promise<MillraceError | undefined>;
  private readonly resolveClosed: (error: MillraceError | undefined) => void;
  private readonly consumers = new Set<MemoryConsumer>();
  private readonly stops = new Set<() => void>();
  private state: 'open' | 'closing' | 'closed' = 'open';

  constructor(options: MemoryBusOptions) {
    this.server = 'server' in options ? options.server : new MemoryServer(options);
    let resolve!: (error: MillraceError | undefined) => void;
    this.closed = new Promise((r) => (resolve = r));
    this.resolveClosed = resolve;
    this.server.connected(1);
  }

  ensureTopology(): Promise<void> {
    return this.run(() => this.server.ensureTopology());
  }

  inspectTopology(): Promise<TopologyPart[]> {
    return this.run(() => this.server.inspectTopology());
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishAck> {
    return this.run(() => this.server.publish(subject, data, options));
  }

  get maxMessageBytes(): number {
    return this.server.maxMessageBytes;
  }

  consume(options: ConsumeOptions, handler: (message: BusMessage) => void | Promise<void>): Promise<Consumer> {
    return this.run(() => {
      const consumer: MemoryConsumer = new MemoryConsumer(this.server, options, handler, () => this.consumers.delete(consumer));
      this.consumers.add(consumer);
      return consumer;
    });
  }

  ensureDurable(options: ConsumeOptions): Promise<void> {
    return this.run(() => void this.server.durable(options));
  }

  deleteDurable(stream: string, durable: string): Promise<void> {
    return this.run(() => this.server.deleteDurable(stream, durable));
  }

  durables(stream: string): Promise<ListedDurable[]> {
    return this.run(() => this.server.durablesOf(stream));
  }

  purge(stream: string, subject: string): Promise<number> {
    return this.run(() => {
      checkFilter(subject);
      return this.server.stream(stream).purge(subject);
    });
  }

  deleteMessage(stream: string, sequence: number): Promise<boolean> {
    return this.run(() => this.server.stream(stream).remove(sequence));
  }

  durableState(stream: string, durable: string): Promise<DurableState | undefined> {
    return this.run(() => this.server.durableState(stream, durable));
  }

  streamState(stream: string, subject?: string): Promise<StreamState> {
    return this.run(() => this.server.stream(stream).state(subject));
  }

  subjectCounts(stream: string, filter: string): Promise<ReadonlyMap<string, number>> {
    return this.run(() => {
      checkFilter(filter);
      return this.server.stream(stream).counts(filter);
    });
  }

  async *read(stream: string, filter: string, fromSequence = 1): AsyncIterable<StoredMessage> {
    checkFilter(filter);
    const messages = await this.run(() =>
      [...this.server.stream(stream).messages.values()].filter(
        (m) => m.sequence >= fromSequence && subjectMatches(filter, m.subject),
      ),
    );
    for (const message of messages) yield copyOf(message);
  }

  last(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.run(() => {
      checkSubject(subject);
      return copyOf(this.server.stream(stream).last(subject));
    });
  }

  kv(bucket: string): KeyValue {
    const shared = this.server.bucket(bucket);
    return {
      ttlMs: shared.ttlMs,
      get: (key) => this.run(() => shared.get(key)),
      put: (key, value) => this.run(() => shared.put(key, value)),
      create: (key, value) => this.run(() => shared.create(key, value)),
      update: (key, value, revision) => this.run(() => shared.update(key, value, revision)),
      delete: (key, revision) => this.run(() => shared.delete(key, revision)),
      keys: (filter) => this.run(() => shared.keys(filter)),
      watch: async (filter, handler) => this.until(await this.run(() => shared.watch(filter, handler))),
    };
  }

  emit(subject: string, data: Uint8Array): void {
    if (this.state === 'open') this.server.listeners.emit(subject, data);
  }

  listen(subject: string, handler: (data: Uint8Array, subject: string) => void): () => void {
    return this.until(this.server.listeners.listen(subject, handler));
  }

  async close(): Promise<void> {
    if (this.state !== 'open') return void (await this.closed);
    this.state = 'closing';
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    this.end(undefined);
  }

  /**
   * Drops the connection the way a killed process does: nothing is handed back, messages it held come again after their ack
   * wait. For tests and simulation.
   */
  sever(): void {
    if (this.state === 'closed') return;
    for (const consumer of this.consumers) consumer.sever();
    this.end(new MillraceError('unavailable', 'the connection was severed'));
  }

  private end(error: MillraceError | undefined): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.consumers.clear();
    for (const stop of this.stops) stop();
    this.stops.clear();
    this.server.connected(-1);
    this.resolveClosed(error);
  }

  private until(stop: () => void): () => void {
    this.stops.add(stop);
    return () => {
      this.stops.delete(stop);
      stop();
    };
  }

  /** Runs at the call, not later; what it throws becomes a rejection. */
  private run<T>(fn: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      if (this.state === 'closed') throw new MillraceError('unavailable', 'the connection is closed', { retryable: false });
      resolve(fn());
    });
  }
}

function copyOf<T extends StoredMessage | undefined>(message: T): T {
  return message === undefined ? message : { ...message, data: message.data.slice() };
}
