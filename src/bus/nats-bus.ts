import { MillraceError } from '../errors.ts';
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
} from './bus.ts';
import { runCallback } from './callback.ts';
import { NatsConsumer } from './nats/consumer.ts';
import { ensureDurable, incarnation } from './nats/durable.ts';
import { API_ERRORS, apiCode, toBusError } from './nats/errors.ts';
import { NatsBucket } from './nats/key-value.ts';
import { openJetStream } from './nats/connection.ts';
import type { JetStreamConnection, JetStreamOptions } from './nats/connection.ts';
import { plainBytes, toStored } from './nats/messages.ts';
import { maxPayload, publish } from './nats/publisher.ts';
import { deleteMessage, storedMessage, streamState, subjectCounts } from './nats/stored.ts';
import { readByGet, readStored } from './nats/reader.ts';
import { bucketConfig, ensureStream, inspectStream, listStreams, streamConfig } from './nats/stream-config.ts';
import { maxMessageBytes } from './message-size.ts';
import { checkFilter, checkSubject } from './subject.ts';
import { streamOf } from './topology.ts';
import type { Topology } from './topology.ts';

/** Options of {@link connectNats}. */
export interface NatsBusOptions extends Omit<JetStreamOptions, 'deadLetterPrefix'> {
  /** Streams and buckets, those of `src/protocol/topology.ts` in a cluster of Millrace. */
  topology: Topology;
  /** Made by {@link Bus.ensureTopology} as well: workers ({@link JetStreamOptions.worker}) find their durables made. Default: none. */
  durables?: readonly ConsumeOptions[];
}

/** How long {@link Bus.close} waits for what is under way, in ms. */
const CLOSE_TIMEOUT_MS = 5000;

/**
 * Connects to NATS. Throws `unavailable` when no server answers within `connectTimeoutMs`, `unauthenticated` when it refuses
 * the token, `failed_precondition` when it is too old. Afterwards the connection comes back by itself, for ever; calls made
 * while it is away wait for it at most `callTimeoutMs`.
 */
export async function connectNats(options: NatsBusOptions): Promise<Bus> {
  const { deadLetterPrefix } = options.topology;
  return new NatsBus(await openJetStream({ ...options, deadLetterPrefix }), options.topology, options.durables ?? []);
}

class NatsBus implements Bus {
  readonly closed: Promise<MillraceError | undefined>;
  private readonly link: JetStreamConnection;
  private readonly topology: Topology;
  private readonly workDurables: readonly ConsumeOptions[];
  private readonly consumers = new Set<NatsConsumer>();
  private readonly stops = new Set<() => void>();
  private closing: Promise<void> | undefined;

  constructor(link: JetStreamConnection, wanted: Topology, durables: readonly ConsumeOptions[]) {
    this.link = link;
    this.workDurables = durables;
    this.topology = wanted;
    this.closed = link.nc.closed().then((error) => {
      for (const stop of [...this.stops]) stop();
      return this.closing !== undefined || error === undefined ? undefined : toBusError(error, 'connection to NATS');
    });
  }

  async ensureTopology(): Promise<void> {
    if (this.link.worker) return;
    for (const spec of this.topology.streams) await ensureStream(this.link, streamConfig(spec, this.topology.replicas));
    for (const spec of this.topology.buckets) await ensureStream(this.link, bucketConfig(spec, this.topology.replicas));
    for (const durable of this.workDurables) await ensureDurable(this.link, durable);
  }

  async inspectTopology(): Promise<TopologyPart[]> {
    const { streams, buckets, replicas } = this.topology;
    const asked = [
      ...streams.map((spec) => ({ kind: 'stream' as const, name: spec.name, config: streamConfig(spec, replicas) })),
      ...buckets.map((spec) => ({ kind: 'bucket' as const, name: spec.name, config: bucketConfig(spec, replicas) })),
    ];
    const found = await listStreams(this.link);
    return asked.map(({ kind, name, config }) => ({ kind, name, ...inspectStream(config, found.get(config.name)) }));
  }

  async publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishAck> {
    checkSubject(subject);
    if (streamOf(subject, this.topology.streams) === undefined) {
      throw new MillraceError('invalid_argument', `no stream stores the subject ${subject}`, { field: 'subject' });
    }
    return publish(this.link, subject, data, options);
  }

  get maxMessageBytes(): number {
    return maxMessageBytes(maxPayload(this.link));
  }

  async consume(options: ConsumeOptions, handler: (message: BusMessage) => void | Promise<void>): Promise<Consumer> {
    checkFilter(options.filter);
    const onStopped = (stopped: NatsConsumer): void => void this.consumers.delete(stopped);
    const consumer = await NatsConsumer.start(this.link, { options, handler, onStopped });
    this.consumers.add(consumer);
    return consumer;
  }

  async ensureDurable(options: ConsumeOptions): Promise<void> {
    checkFilter(options.filter);
    await ensureDurable(this.link, options);
  }

  async deleteDurable(stream: string, durable: string): Promise<void> {
    await this.link.call(`durable ${durable} of ${stream}`, () =>
      this.link.jsm.consumers.delete(stream, durable).catch((thrown: unknown) => {
        if (apiCode(thrown) !== API_ERRORS.consumerNotFound) throw thrown;
      }),
    );
  }

  async durables(stream: string): Promise<ListedDurable[]> {
    return this.link.call(`durables of ${stream}`, async () => {
      const found: ListedDurable[] = [];
      for await (const info of this.link.jsm.consumers.list(stream)) {
        const { durable_name: durable, filter_subject, filter_subjects } = info.config;
        const filter = filter_subject ?? filter_subjects?.join(' ') ?? '(none)';
        if (durable !== undefined)
          found.push({ durable, filter, created: incarnation(info), lastDelivered: info.delivered.stream_seq });
      }
      return found;
    });
  }

  async purge(stream: string, subject: string): Promise<number> {
    checkFilter(subject);
    if (this.topology.streams.find((s) => s.name === stream)?.retention === 'limits') {
      const answer = await this.link.call(`purging ${subject}`, () => this.link.jsm.streams.purge(stream, { filter: subject }));
      return answer.purged;
    }
    // A filtered purge moves durables with a wider filter behind everything that is in the stream (nats-server 2.9): messages of
    // other subjects would stay there for ever, delivered to nobody. So those of work queues are deleted one by one.
    const { lastSequence } = await this.streamState(stream);
    let purged = 0;
    for await (const { sequence } of this.read(stream, subject)) {
      // What is published meanwhile stays, as with a purge.
      if (sequence > lastSequence) break;
      if (await this.deleteMessage(stream, sequence)) purged += 1;
    }
    return purged;
  }

  deleteMessage(stream: string, sequence: number): Promise<boolean> {
    return deleteMessage(this.link, stream, sequence);
  }

  async durableState(stream: string, durable: string): Promise<DurableState | undefined> {
    return this.link.call(`durable ${durable} of ${stream}`, () =>
      this.link.jsm.consumers.info(stream, durable).then(
        (info) => ({
          filter: info.config.filter_subject ?? '(none)',
          created: incarnation(info),
          pending: info.num_pending,
          ackPending: info.num_ack_pending,
          lastDelivered: info.delivered.stream_seq,
        }),
        (thrown: unknown) => {
          const code = apiCode(thrown);
          if (code === API_ERRORS.consumerNotFound || code === API_ERRORS.streamNotFound) return undefined;
          throw thrown;
        },
      ),
    );
  }

  streamState(stream: string, subject?: string): Promise<StreamState> {
    return streamState(this.link, stream, subject);
  }

  async subjectCounts(stream: string, filter: string): Promise<ReadonlyMap<string, number>> {
    checkFilter(filter);
    return subjectCounts(this.link, stream, filter);
  }

  read(stream: string, filter: string, fromSequence = 1): AsyncIterable<StoredMessage> {
    checkFilter(filter);
    const { retention } = this.topology.streams.find((s) => s.name === stream)!;
    return (retention === 'limits' && !this.link.worker ? readStored : readByGet)(this.link, stream, { filter, fromSequence });
  }

  async last(stream: string, subject: string): Promise<StoredMessage | undefined> {
    checkSubject(subject);
    const message = await this.link.call(`reading ${subject}`, () => storedMessage(this.link, stream, { last_by_subj: subject }));
    return message === null ? undefined : toStored(message);
  }

  kv(bucket: string): KeyValue {
    const spec = this.topology.buckets.find((b) => b.name === bucket);
    if (spec === undefined) throw new MillraceError('invalid_argument', `no bucket ${bucket}`, { field: 'bucket' });
    return new NatsBucket(this.link, spec, (stop) => this.until(stop));
  }

  emit(subject: string, data: Uint8Array): void {
    checkSubject(subject);
    if (this.closing === undefined && !this.link.nc.isClosed()) this.link.nc.publish(subject, data);
  }

  listen(subject: string, handler: (data: Uint8Array, subject: string) => void): () => void {
    checkFilter(subject);
    const subscription = this.link.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) runCallback(() => handler(plainBytes(message.data), message.subject));
      },
    });
    return this.until(() => subscription.unsubscribe());
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    await Promise.all([...this.consumers].map((consumer) => consumer.stop(CLOSE_TIMEOUT_MS)));
    for (const stop of [...this.stops]) stop();
    const { nc } = this.link;
    if (nc.isClosed()) return;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    // Draining waits for an answer of the server, which may be gone.
    await Promise.race([nc.drain().catch(() => {}), timeout]);
    clearTimeout(timer);
    await nc.close().catch(() => {});
  }

  private until(stop: () => void): () => void {
    const once = (): void => {
      if (this.stops.delete(once)) stop();
    };
    this.stops.add(once);
    return once;
  }
}
