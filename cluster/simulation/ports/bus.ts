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
} from '../../../src/bus/bus.ts';
import { connectMemory, type MemoryBus } from '../../../src/bus/memory/memory-bus.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';
import { Calls } from './calls.ts';
import { Deliveries } from './deliveries.ts';
import { simulatedBucket } from './key-value.ts';

/** One process's connection to NATS: what it asks for and what it is given travels over the simulated network. */
export class SimulatedBus implements Bus {
  readonly closed: Promise<MillraceError | undefined>;
  readonly #world: World;
  readonly #life: Life;
  readonly #inner: MemoryBus;
  readonly #calls: Calls;
  readonly #deliveries = new Set<Deliveries>();
  #isClosed = false;

  constructor(world: World, life: Life) {
    this.#world = world;
    this.#life = life;
    this.#inner = connectMemory(world.server);
    this.#calls = new Calls(world, life);
    this.closed = life.through(this.#inner.closed);
    life.onEnd(() => this.#inner.sever());
  }

  get maxMessageBytes(): number {
    return this.#inner.maxMessageBytes;
  }

  ensureTopology(): Promise<void> {
    return this.#call('ensure topology', () => this.#inner.ensureTopology());
  }

  inspectTopology(): Promise<TopologyPart[]> {
    return this.#call('inspect topology', () => this.#inner.inspectTopology());
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishAck> {
    const { recorder, observer, clock } = this.#world;
    const askedAt = clock.monotonic();
    const what = `publish ${subject} ${options.id}`;
    // What is sent is what it was at the call.
    const sent = data.slice();
    const from = recorder.note(this.#life.node, 'publish', what.slice(8));
    return this.#call(what, async () => {
      const full = this.#world.fullStream(subject);
      if (full !== undefined) throw new MillraceError('resource_exhausted', `stream ${full} is full: simulated`);
      const ack = await this.#inner.publish(subject, sent, options);
      const index = recorder.note('nats', ack.duplicate ? 'duplicate' : 'stored', `${subject} ${options.id} #${ack.sequence}`, {
        from,
      });
      recorder.remember(`${subject} #${ack.sequence}`, index);
      observer.sent({ life: this.#life.id, subject, data: sent, id: options.id, askedAt });
      if (ack.duplicate) observer.saw('publish-was-duplicate');
      else observer.published({ node: this.#life.node, subject, data: sent, id: options.id, sequence: ack.sequence });
      return ack;
    });
  }

  async consume(options: ConsumeOptions, handler: (message: BusMessage) => void | Promise<void>): Promise<Consumer> {
    const { durable } = options;
    await this.#call(`durable ${durable}`, () =>
      this.#inner.ensureDurable(options).catch((thrown: unknown) => {
        // The consumer itself waits until what is in its place is gone.
        if (MillraceError.from(thrown).code !== 'failed_precondition' || options.onConflict === undefined) throw thrown;
      }),
    );
    const deliveries = new Deliveries(this.#world, this.#life, { calls: this.#calls, options, handler });
    this.#deliveries.add(deliveries);
    return deliveries.start(this.#inner);
  }

  ensureDurable(options: ConsumeOptions): Promise<void> {
    return this.#call(`durable ${options.durable}`, () => this.#inner.ensureDurable(options));
  }

  deleteDurable(stream: string, durable: string): Promise<void> {
    this.#world.recorder.note(this.#life.node, 'delete', `durable ${durable} of ${stream}`);
    return this.#call(`delete durable ${durable}`, () => this.#inner.deleteDurable(stream, durable));
  }

  durables(stream: string): Promise<ListedDurable[]> {
    return this.#call(`durables of ${stream}`, () => this.#inner.durables(stream));
  }

  purge(stream: string, subject: string): Promise<number> {
    this.#world.recorder.note(this.#life.node, 'delete', `everything on ${subject}`);
    return this.#call(`purge ${subject}`, () => this.#inner.purge(stream, subject));
  }

  deleteMessage(stream: string, sequence: number): Promise<boolean> {
    return this.#call(`delete ${stream} #${sequence}`, async () => {
      const was = await this.#inner.deleteMessage(stream, sequence);
      if (was) this.#world.observer.deleted({ node: this.#life.node, stream, sequence });
      return was;
    });
  }

  streamState(stream: string, subject?: string): Promise<StreamState> {
    return this.#call(`state of ${stream}`, () => this.#inner.streamState(stream, subject));
  }

  subjectCounts(stream: string, filter: string): Promise<ReadonlyMap<string, number>> {
    return this.#call(`subjects of ${stream}`, () => this.#inner.subjectCounts(stream, filter));
  }

  durableState(stream: string, durable: string): Promise<DurableState | undefined> {
    return this.#call(`state of durable ${durable}`, () => this.#inner.durableState(stream, durable));
  }

  async *read(stream: string, filter: string, fromSequence?: number): AsyncIterable<StoredMessage> {
    const all = await this.#call(`read ${filter}`, async () => {
      const messages: StoredMessage[] = [];
      for await (const message of this.#inner.read(stream, filter, fromSequence)) messages.push(message);
      this.#world.observer.read({ life: this.#life.id, stream, filter, at: this.#world.clock.monotonic() });
      return messages;
    });
    yield* all;
  }

  last(stream: string, subject: string): Promise<StoredMessage | undefined> {
    return this.#call(`last ${subject}`, () => this.#inner.last(stream, subject));
  }

  kv(bucket: string): KeyValue {
    return simulatedBucket(this.#inner.kv(bucket), bucket, {
      world: this.#world,
      life: this.#life,
      calls: this.#calls,
      call: (what, work) => this.#call(what, work, true),
    });
  }

  emit(subject: string, data: Uint8Array): void {
    if (this.#isClosed) return;
    const sent = data.slice();
    void this.#calls.send(`emit ${subject}`).then((arrived) => {
      if (arrived) this.#inner.emit(subject, sent);
    });
  }

  listen(subject: string, handler: (data: Uint8Array, subject: string) => void): () => void {
    let listening = true;
    const stop = this.#inner.listen(subject, (data, at) => {
      void this.#calls.receive(`emitted ${at}`).then((arrived) => {
        if (arrived && listening) handler(data, at);
      });
    });
    return () => {
      listening = false;
      stop();
    };
  }

  /** See {@link Deliveries.silent}. */
  silent(): void {
    for (const deliveries of this.#deliveries) deliveries.silent();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    await Promise.all([...this.#deliveries].map((deliveries) => deliveries.stop()));
    this.#isClosed = true;
    await this.#inner.close();
  }

  #call<T>(what: string, work: () => Promise<T>, once = false): Promise<T> {
    if (this.#isClosed) {
      return Promise.reject(new MillraceError('unavailable', 'the connection is closed', { retryable: false }));
    }
    return this.#calls.call({ what, work, once });
  }
}
