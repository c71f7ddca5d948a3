import type { MillraceError } from '../errors.ts';

/** Port: durable messaging (JetStream semantics), key-value buckets with compare-and-set, and plain pub/sub. */
export interface Bus {
  /** Creates or checks every stream and bucket of its topology; throws `failed_precondition` where the server's echo differs. */
  ensureTopology(): Promise<void>;
  /** Looks at every stream and bucket of its topology and changes nothing. */
  inspectTopology(): Promise<TopologyPart[]>;
  /**
   * Publishes durably and waits for the server's acknowledgement.
   * Throws `resource_exhausted` (retryable: backpressure) when the stream is full, `unavailable` when no server answers, and
   * `MessageTooLarge` (`invalid_argument`) for more than {@link maxMessageBytes}.
   */
  publish(subject: string, data: Uint8Array, options: PublishOptions): Promise<PublishAck>;
  /**
   * Starts a durable consumer; every message is given to `handler` once per delivery. The message stays the handler's until
   * it settles it (ack, nak or term), also after the handler has returned; when the handler throws, it is delivered again
   * later (250 ms after the first delivery, twice as long after each further one, at most 30 s).
   */
  consume(options: ConsumeOptions, handler: (message: BusMessage) => void | Promise<void>): Promise<Consumer>;
  /** Creates a durable without reading from it, so that an interest stream keeps messages for it. */
  ensureDurable(options: ConsumeOptions): Promise<void>;
  deleteDurable(stream: string, durable: string): Promise<void>;
  /** The durables of a stream, ours or not, by name. */
  durables(stream: string): Promise<ListedDurable[]>;
  /** Deletes every message on the subject (wildcards allowed). Returns how many. */
  purge(stream: string, subject: string): Promise<number>;
  /** Deletes one message of a stream. False when it is not there (any more). */
  deleteMessage(stream: string, sequence: number): Promise<boolean>;
  streamState(stream: string, subject?: string): Promise<StreamState>;
  /** How many messages lie on each subject of a filter, in one request; subjects without any are left out. */
  subjectCounts(stream: string, filter: string): Promise<ReadonlyMap<string, number>>;
  /** What a durable has before it, whoever consumes it, and if nobody does. Undefined when there is no such durable. */
  durableState(stream: string, durable: string): Promise<DurableState | undefined>;
  /** Reads the durable messages of a subject filter from `fromSequence` on, in order, until caught up. For history, not for work. */
  read(stream: string, filter: string, fromSequence?: number): AsyncIterable<StoredMessage>;
  /** Newest stored message on this very subject; undefined when there is none. */
  last(stream: string, subject: string): Promise<StoredMessage | undefined>;
  kv(bucket: string): KeyValue;
  /** At most once, to whoever listens right now. */
  emit(subject: string, data: Uint8Array): void;
  /** Listens to `emit`; returns a function that stops it. */
  listen(subject: string, handler: (data: Uint8Array, subject: string) => void): () => void;
  /** Bytes of data that a message may have. */
  readonly maxMessageBytes: number;
  /** Resolves when the connection is closed, with the error if it was not asked for. */
  readonly closed: Promise<MillraceError | undefined>;
  /** Delivers what is pending, then closes. */
  close(): Promise<void>;
}

export interface PublishOptions {
  /**
   * Deterministic message id: a second publish of the same message (id, subject and content) within the duplicate window is
   * acknowledged and dropped. Another message with the same id is stored like any other. Well-formed Unicode, no control characters.
   */
  id: string;
  /** What makes two messages of one id the same, where their bytes may differ (times, nodes). Default: the data. */
  content?: string | Uint8Array;
  headers?: Record<string, string>;
}

export interface PublishAck {
  sequence: number;
  /** The stream has had this very message before: same id, subject and content. */
  duplicate: boolean;
}

export interface ConsumeOptions {
  stream: string;
  /** Name of the durable; consumers with the same name share its work. */
  durable: string;
  /** Subject filter. */
  filter: string;
  /** Messages given to this handler and not yet settled; further ones wait. Default 64. */
  maxInFlight?: number;
  /**
   * Further messages wait as well while those given to this handler and not yet settled have this many bytes, give or take a
   * message. Default: no limit.
   */
  maxBytesInFlight?: number;
  /** Over all consumers of the durable. Default 1000. */
  maxAckPending?: number;
  /**
   * Redelivery after this long without ack or working(). Default 30_000. The consumer calls working() by itself at a third, and a message that
   * its handler still has is not given to that handler a second time, though it may be to others.
   */
  ackWaitMs?: number;
  /**
   * Deliveries before the message goes to the DLQ, with the reason `max_deliveries`. Default 5; -1 = no limit. The consumer
   * that is given it once more sees to that, so a message whose handler kills its process ends there too.
   */
  maxDeliver?: number;
  /**
   * Called when the durable was deleted, alone or with its stream, and has been made again, before the first message of the new one:
   * what this consumer was given before is not held for anybody any more, and settling it does nothing.
   */
  onReset?: () => void;
  /**
   * Called, once for each time, when the durable cannot be had because another one is in its place; the consumer then waits until that is
   * gone. Default: {@link Bus.consume} throws `failed_precondition`.
   */
  onConflict?: (error: MillraceError) => void;
}

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  readonly sequence: number;
  /** 1 on the first delivery. */
  readonly deliveryCount: number;
  /** Done; resolves when the server has confirmed it (double ack). */
  ack(): Promise<void>;
  /** Deliver again, after `delayMs`. */
  nak(delayMs?: number): void;
  /** Never again: goes to the DLQ with the reason. */
  term(reason: string): void;
}

export interface Consumer {
  /** Messages handed out and not settled. */
  readonly inFlight: number;
  /** Waiting on the server for this durable. */
  pending(): Promise<number>;
  /**
   * From now on takes at most so many messages at once, at least 1. When that is less than before, what was asked for already may still
   * come; nothing is handed back, so no message counts as delivered to somebody who did not get it.
   */
  limit(maxInFlight: number): void;
  /** Stops fetching, waits for running handlers up to `timeoutMs` (default 5000), naks what is left. */
  stop(timeoutMs?: number): Promise<void>;
}

export interface StreamState {
  messages: number;
  bytes: number;
  lastSequence: number;
}

/** A durable as {@link Bus.durables} lists it. */
export interface ListedDurable {
  durable: string;
  /** Its subject filter. */
  filter: string;
  /** Tells it from others that had its name before or have it later. */
  created: string;
  /** Sequence of the last message that it has delivered; 0 before the first one. */
  lastDelivered: number;
}

export interface DurableState {
  /** Its subject filter. */
  filter: string;
  /** Tells it from others that had its name before or have it later. */
  created: string;
  /** Messages never delivered so far. */
  pending: number;
  /** Delivered and not settled, or about to be delivered again. */
  ackPending: number;
  /** Highest sequence that was delivered; 0 before the first one. Beyond the end of its stream only where the server lost messages. */
  lastDelivered: number;
}

/** A stream or bucket as the server has it. */
export interface TopologyPart {
  kind: 'stream' | 'bucket';
  name: string;
  /** Tells it from others that had its name before or have it later; undefined when there is none. */
  created: string | undefined;
  /** Where its configuration differs from what is asked for, in words. */
  problem: string | undefined;
  /** Whether no server changes that: somebody has to delete it. */
  fixed: boolean;
}

export interface StoredMessage {
  subject: string;
  data: Uint8Array;
  headers: Readonly<Record<string, string>>;
  sequence: number;
  id: string;
  timeMs: number;
}

export interface KeyValueEntry {
  key: string;
  value: Uint8Array;
  /** Grows with every write to the bucket: the fencing token. */
  revision: number;
}

export interface KeyValue {
  /** How long a value lives after its last write, in ms; 0 = for ever. */
  readonly ttlMs: number;
  get(key: string): Promise<KeyValueEntry | undefined>;
  put(key: string, value: Uint8Array): Promise<number>;
  /** Fails with `already_exists` when the key is there. */
  create(key: string, value: Uint8Array): Promise<number>;
  /** Fails with `aborted` when the newest revision is another one. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  delete(key: string, revision?: number): Promise<void>;
  keys(filter?: string): Promise<string[]>;
  /**
   * Present values first, then changes in order; a deletion or expiry has `value` undefined. A value that is overwritten before the
   * watcher was given it may be left out; the newest of a key always comes. Returns a function that stops it.
   */
  watch(
    filter: string,
    handler: (change: { key: string; value: Uint8Array | undefined; revision: number }) => void,
  ): Promise<() => void>;
}
