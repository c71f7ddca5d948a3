import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import type {
  ConsumeOptions,
  DurableState,
  ListedDurable,
  PublishAck,
  PublishOptions,
  StoredMessage,
  TopologyPart,
} from '../bus.ts';
import { MAX_DELIVERIES, deadLetterHeaders, deadLetterId } from '../dead-letter.ts';
import { dedupId } from '../message-id.ts';
import { checkSize, MAX_PAYLOAD, maxMessageBytes } from '../message-size.ts';
import { checkFilter, checkSubject } from '../subject.ts';
import { streamOf } from '../topology.ts';
import type { StreamSpec, Topology } from '../topology.ts';
import { MemoryDurable, durableConfig, type DurableConfig } from './durable.ts';
import { MemoryBucket } from './key-value.ts';
import { MemoryListeners } from './listeners.ts';
import { MemoryStream } from './stream.ts';

/** Options of {@link MemoryServer}. */
export interface MemoryServerOptions {
  topology: Topology;
  /** Drives ack waits, delays and expiry; nothing else waits. */
  clock: Clock;
  /** Largest payload, headers included, in bytes. Default: that of the servers that Millrace starts. */
  maxPayload?: number;
  /** It keeps for a while what it would have to forget: {@link MemoryServer.kill}. Default false. */
  killable?: boolean;
}

/** How far behind the disk was when a server was killed. */
export interface Unwritten {
  /** What durables gave out, and what was acknowledged to them, in the last so many ms is forgotten. */
  durablesMs: number;
  /** Messages that were settled in the last so many ms are in their streams again; durables that remember their acks do not give them out. */
  removalsMs: number;
}

/**
 * JetStream's semantics in one process: what several connections (`MemoryBus`) share. Everything happens at the call or
 * in promise jobs after it, in an order that depends on nothing but the calls and the clock.
 */
export class MemoryServer {
  readonly clock: Clock;
  readonly maxMessageBytes: number;
  private readonly streams = new Map<string, MemoryStream>();
  private readonly durables = new Map<string, MemoryDurable>();
  private readonly buckets = new Map<string, MemoryBucket>();
  /** Called with what is copied to the DLQ. */
  onBuried: (letter: { stream: string; id: string; reason: string }) => void = () => {};
  /** Plain publish and subscribe, which stores nothing. */
  readonly listeners = new MemoryListeners();
  private readonly topology: Topology;
  private connections = 0;
  /** Streams, buckets and durables made so far: tells those of one name apart. */
  private made = 0;
  private readonly killable: boolean;

  constructor(options: MemoryServerOptions) {
    this.killable = options.killable ?? false;
    this.clock = options.clock;
    this.maxMessageBytes = maxMessageBytes(options.maxPayload ?? MAX_PAYLOAD);
    this.topology = options.topology;
    for (const spec of this.topology.buckets)
      this.buckets.set(spec.name, new MemoryBucket(spec, this.clock, this.maxMessageBytes));
    this.ensureTopology();
  }

  /** Makes what is not there. */
  ensureTopology(): void {
    for (const spec of this.topology.streams) if (!this.streams.has(spec.name)) this.makeStream(spec);
    for (const bucket of this.buckets.values()) if (bucket.created === undefined) bucket.make(this.nextId());
  }

  inspectTopology(): TopologyPart[] {
    const asMade = { problem: undefined, fixed: false };
    return [
      ...this.topology.streams.map(({ name }) => ({
        kind: 'stream' as const,
        name,
        created: this.streams.get(name)?.created,
        ...asMade,
      })),
      ...[...this.buckets].map(([name, { created }]) => ({ kind: 'bucket' as const, name, created, ...asMade })),
    ];
  }

  /** Deletes a stream with its messages and durables, as an administrator may. */
  deleteStream(name: string): void {
    for (const { config } of this.of(name)) this.dropDurable(name, config.durable);
    this.streams.delete(name);
  }

  /** Deletes a bucket with all its values, as an administrator may. */
  deleteBucket(name: string): void {
    this.buckets.get(name)!.drop();
  }

  private nextId(): string {
    return String((this.made += 1));
  }

  private makeStream(spec: StreamSpec): void {
    const stream = new MemoryStream(spec, { now: () => this.clock.now(), created: this.nextId(), killable: this.killable });
    stream.hasInterest = (subject) => this.of(spec.name).some((d) => d.matches(subject));
    stream.onRemoved = (sequence) => {
      for (const durable of this.of(spec.name)) durable.removed(sequence);
    };
    this.streams.set(spec.name, stream);
  }

  /** What was stored and acknowledged is kept; ids of messages that are gone are forgotten, as by a server that starts again. */
  restart(): void {
    for (const stream of this.streams.values()) stream.forgetIds();
  }

  /**
   * As {@link restart}, after a kill: what was published is kept, and of what followed the server forgets what it had not written down. So does
   * nats-server 2.9 with a file store: acknowledgements of its last tenth of a second, and the removal of messages at the beginning of a
   * stream for longer than that.
   */
  kill({ durablesMs, removalsMs }: Unwritten): void {
    for (const stream of this.streams.values()) stream.restore(removalsMs);
    for (const durable of this.durables.values()) durable.forget(durablesMs);
    this.restart();
  }

  /** @internal Connections count themselves: timers run only while there is one. */
  connected(change: 1 | -1): void {
    this.connections += change;
    for (const bucket of this.buckets.values()) bucket.setTimers(this.connections > 0);
  }

  /** `unavailable` while it is deleted. */
  stream(name: string): MemoryStream {
    const stream = this.streams.get(name);
    if (stream) return stream;
    throw new MillraceError('unavailable', `there is no stream ${name}; a coordinator makes it again`);
  }

  bucket(name: string): MemoryBucket {
    return this.buckets.get(name)!;
  }

  publish(subject: string, data: Uint8Array, options: PublishOptions): PublishAck {
    checkSize(subject, data, options.headers ?? {}, this.maxMessageBytes);
    return this.store(subject, data, options);
  }

  private store(subject: string, data: Uint8Array, options: PublishOptions): PublishAck {
    checkSubject(subject);
    const spec = streamOf(subject, this.topology.streams);
    if (spec === undefined)
      throw new MillraceError('invalid_argument', `no stream stores the subject ${subject}`, { field: 'subject' });
    const dedup = dedupId(subject, data, options);
    const message = { subject, data: data.slice(), headers: { ...options.headers }, id: options.id };
    const ack = this.stream(spec.name).append(message, dedup);
    if (!ack.duplicate) for (const durable of this.of(spec.name)) durable.wake();
    return ack;
  }

  /** Finds or makes the durable; other options than it was made with are refused unless they may change. */
  durable(options: ConsumeOptions): MemoryDurable {
    checkFilter(options.filter);
    const config = durableConfig(options);
    const name = `${config.stream}/${config.durable}`;
    const known = this.durables.get(name);
    if (known !== undefined) {
      checkSameFilter(known.config, config);
      known.config = config;
      known.wake();
      return known;
    }
    const stream = this.stream(config.stream);
    if (stream.spec.retention === 'workqueue') checkNoOverlap(config, this.of(config.stream));
    const durable = new MemoryDurable(config, {
      stream,
      clock: this.clock,
      created: this.nextId(),
      killable: this.killable,
      onDead: (message, deliveries) => {
        this.bury(config.stream, message, deliveries, MAX_DELIVERIES);
        this.acked(durable, message.sequence);
      },
    });
    this.durables.set(name, durable);
    return durable;
  }

  deleteDurable(stream: string, name: string): void {
    if (!this.dropDurable(stream, name)) return;
    for (const sequence of [...this.stream(stream).messages.keys()]) this.release(stream, sequence);
  }

  private dropDurable(stream: string, name: string): boolean {
    const durable = this.durables.get(`${stream}/${name}`);
    this.durables.delete(`${stream}/${name}`);
    durable?.stop();
    return durable !== undefined;
  }

  durablesOf(stream: string): ListedDurable[] {
    this.stream(stream);
    return this.of(stream).map((durable) => durable.listed());
  }

  durableState(stream: string, name: string): DurableState | undefined {
    return this.durables.get(`${stream}/${name}`)?.state();
  }

  acked(durable: MemoryDurable, sequence: number): void {
    // One that is gone has nothing to be told, and what has its name now gave out other messages.
    if (this.durables.get(`${durable.config.stream}/${durable.config.durable}`) !== durable) return;
    durable.ack(sequence);
    const { stream } = durable.config;
    const { retention } = this.stream(stream).spec;
    if (retention === 'workqueue') this.stream(stream).settle(sequence);
    else if (retention === 'interest') this.release(stream, sequence, durable);
  }

  /** Copies a message to the DLQ. */
  bury(stream: string, message: Omit<StoredMessage, 'timeMs'>, deliveries: number, reason: string): void {
    const { subject, id, sequence, headers, data } = message;
    const kept = deadLetterHeaders({ stream, subject, id, sequence, headers, reason, deliveries });
    this.onBuried({ stream, id, reason });
    this.store(`${this.topology.deadLetterPrefix}.${stream}`, data, { id: deadLetterId(stream, sequence), headers: kept });
  }

  private of(stream: string): MemoryDurable[] {
    return [...this.durables.values()].filter((d) => d.config.stream === stream);
  }

  /** Interest: a message goes when every durable that wants it is done with it. */
  private release(stream: string, sequence: number, done?: MemoryDurable): void {
    const messages = this.streams.get(stream);
    if (messages?.spec.retention !== 'interest') return;
    const message = messages.get(sequence);
    if (message === undefined) return;
    const isDone = (d: MemoryDurable): boolean => d === done || !d.matches(message.subject) || d.isDone(sequence);
    if (this.of(stream).every(isDone)) messages.settle(sequence);
  }
}

function checkSameFilter({ stream, durable, filter }: DurableConfig, asked: DurableConfig): void {
  if (filter === asked.filter) return;
  throw new MillraceError(
    'failed_precondition',
    `durable ${stream}/${durable} exists with the filter ${filter}; \`millrace doctor\` says how to delete it`,
    { field: 'filter' },
  );
}

function checkNoOverlap({ stream, filter }: DurableConfig, others: readonly MemoryDurable[]): void {
  const other = others.find(({ config }) => overlap(config.filter, filter));
  if (other === undefined) return;
  throw new MillraceError(
    'failed_precondition',
    `work queue ${stream} already has the durable ${other.config.durable} on ${other.config.filter}`,
    { field: 'filter' },
  );
}

/** Whether some subject matches both filters. */
function overlap(a: string, b: string): boolean {
  const left = a.split('.');
  const right = b.split('.');
  for (let i = 0; ; i++) {
    const l = left[i];
    const r = right[i];
    if (l === undefined || r === undefined) return l === r;
    if (l === '>' || r === '>') return true;
    if (l !== r && l !== '*' && r !== '*') return false;
  }
}
