import { DeliverPolicy } from '@nats-io/jetstream';
import type { Consumer as OrderedConsumer, ConsumerInfo, ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import { MillraceError } from '../../errors.ts';
import { runCallback } from '../callback.ts';
import type { BucketWatchOptions, KeyValueChange } from './bucket-watch.ts';
import { ExpiringKeys } from './expiring-keys.ts';
import type { JetStreamConnection } from './connection.ts';
import { KV_OPERATION, isDeletion, plainBytes } from './messages.ts';

const START_TIMEOUT_MS = 10_000;
/**
 * The count of what is to come, which each message brings along, is broken by values that are overwritten or expire under the reader:
 * so often it is asked for anew.
 */
const DOUBT_MS = 500;
const RETRY_MS = 250;
/**
 * How often the server that holds the consumer says that it is still there, and how long one request for messages lasts, in ms. The consumer
 * has one copy: when its server is lost, a watch notices by two missed heartbeats only. The client's own default is half a minute.
 */
const HEARTBEAT_MS = 1000;
const REQUEST_MS = 10_000;
/** How often a watch looks whether its bucket is still the one it was, in ms. */
const LOOK_MS = 2000;

/**
 * Follows a bucket through an ordered consumer: the client makes it again from the last sequence when there is a gap, when
 * the server restarted or forgot it. What cannot come that way is added here: expiry, of which servers before 2.11 say
 * nothing (each value of a bucket with a TTL is looked up when its time is over), and a bucket that was made anew.
 */
export class KeyValueWatch {
  private readonly link: JetStreamConnection;
  private readonly stream: string;
  private readonly prefix: string;
  private readonly filter: string;
  private readonly handler: (change: KeyValueChange) => void;
  /** Keys present as far as the handler knows. */
  private readonly present: ExpiringKeys;
  private lastRevision = 0;
  private consumer: OrderedConsumer | undefined;
  private messages: ConsumerMessages | undefined;
  private looking: NodeJS.Timeout | undefined;
  /** Everything that was present at the start has been told. */
  private live = false;
  private stopped = false;
  private offReconnect: (() => void) | undefined;
  private created = '';

  constructor(link: JetStreamConnection, options: BucketWatchOptions) {
    const { stream, prefix, filter, handler } = options;
    this.link = link;
    this.stream = stream;
    this.prefix = prefix;
    this.filter = filter;
    this.handler = handler;
    this.present = new ExpiringKeys(options, (change) => this.tell(change));
  }

  /** Resolves when the handler has heard of everything present. */
  async start(): Promise<void> {
    this.offReconnect = this.link.onReconnect(() => void this.checkStream());
    this.created = await this.streamCreated();
    await this.open();
    // The client says nothing of a bucket that is deleted and made again.
    if (!this.stopped) this.looking = setInterval(() => void this.lookAfterStream(), LOOK_MS);
  }

  stop(): void {
    this.stopped = true;
    this.offReconnect?.();
    this.present.stop();
    clearInterval(this.looking);
    this.close();
  }

  private close(): void {
    const { messages, consumer } = this;
    this.messages = undefined;
    this.consumer = undefined;
    void messages?.close();
    if (!this.link.nc.isClosed()) consumer?.delete().catch(() => {});
  }

  private async open(): Promise<void> {
    const what = `watching ${this.filter} of ${this.stream}`;
    const consumer = await this.link.call(what, () =>
      this.link.quick.js.consumers.get(this.stream, {
        filter_subjects: `${this.prefix}${this.filter}`,
        ...(this.lastRevision > 0
          ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: this.lastRevision + 1 }
          : { deliver_policy: DeliverPolicy.LastPerSubject }),
      }),
    );
    const { num_pending: waiting } = await consumer.info(true);
    let caughtUp = (): void => {};
    let timer: NodeJS.Timeout | undefined;
    let doubt: NodeJS.Timeout | undefined;
    const initial = new Promise<void>((resolve, reject) => {
      caughtUp = resolve;
      timer = setTimeout(
        () => reject(new MillraceError('unavailable', `${what}: the present values did not come`)),
        START_TIMEOUT_MS,
      );
    });
    // When consuming cannot begin, nobody waits for the values.
    initial.catch(() => {});
    this.consumer = consumer;
    try {
      const messages = await consumer.consume({
        max_messages: 256,
        expires: REQUEST_MS,
        idle_heartbeat: HEARTBEAT_MS,
        callback: (message) => {
          this.receive(message);
          if (message.info.pending === 0) caughtUp();
        },
      });
      this.messages = messages;
      void closeWhenSilent(messages);
      void messages.closed().then(() => {
        if (this.messages === messages) void this.reopen();
      });
      if (waiting === 0) caughtUp();
      doubt = setInterval(() => {
        const nothingLeft = ({ num_pending, delivered }: ConsumerInfo): boolean =>
          num_pending === 0 && delivered.stream_seq <= this.lastRevision;
        consumer.info().then(
          (info) => nothingLeft(info) && caughtUp(),
          () => {},
        );
      }, DOUBT_MS);
      await initial;
    } finally {
      clearTimeout(timer);
      clearInterval(doubt);
    }
    this.live = true;
    if (this.stopped) this.close();
  }

  /** The client gave the consumer up (a bucket that is gone for long, a permission): go on from where we were. */
  private async reopen(): Promise<void> {
    while (!this.stopped && !this.link.nc.isClosed()) {
      try {
        this.startOver(await this.streamCreated());
        await this.open();
        return;
      } catch {
        this.close();
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private receive(message: JsMsg): void {
    if (this.stopped || message.seq <= this.lastRevision) return;
    this.lastRevision = message.seq;
    const key = message.subject.slice(this.prefix.length);
    if (isDeletion(message.headers?.get(KV_OPERATION))) {
      // Marks of old deletions are no news to one who just began to watch.
      if (this.present.delete(key) || this.live) this.tell({ key, value: undefined, revision: message.seq });
      return;
    }
    this.present.add(key, message.seq, message.time.getTime());
    this.tell({ key, value: plainBytes(message.data), revision: message.seq });
  }

  private tell(change: KeyValueChange): void {
    runCallback(() => this.handler(change));
  }

  /**
   * After a reconnection the watch is opened again from where it was: a server that was restarted has forgotten the consumer, which the
   * client notices by missed heartbeats only, half a minute later. A bucket that was made anew has other revisions, so start over
   * and say what is gone.
   */
  private async checkStream(): Promise<void> {
    const created = await this.streamCreated().catch(() => this.created);
    if (this.stopped) return;
    this.startOver(created);
    // Closing makes the watch open again.
    void this.messages?.close();
  }

  /** What is known of the bucket is forgotten, and told as gone, when it is another one. */
  private startOver(created: string): boolean {
    if (this.stopped || created === this.created) return false;
    this.created = created;
    this.lastRevision = 0;
    for (const { key, revision } of this.present.takeAll()) this.tell({ key, value: undefined, revision });
    return true;
  }

  private async lookAfterStream(): Promise<void> {
    const created = await this.streamCreated().catch(() => this.created);
    if (this.startOver(created)) void this.messages?.close();
  }

  private async streamCreated(): Promise<string> {
    const info = await this.link.call(`bucket ${this.stream}`, () => this.link.quick.jsm.streams.info(this.stream));
    return info.created;
  }
}

/** Ends what is read from a consumer that says nothing any more: the client would ask the same server again and again. */
async function closeWhenSilent(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) if (type === 'heartbeats_missed') await messages.close();
}
