import { nanos } from '@nats-io/nats-core';
import type { Msg } from '@nats-io/nats-core';
import type { BusMessage, ConsumeOptions, Consumer } from '../bus.ts';
import { MillraceError } from '../../errors.ts';
import { retryDelayMs } from '../callback.ts';
import { MAX_DELIVERIES, deadLetterHeaders, deadLetterId } from '../dead-letter.ts';
import { Acks } from './acks.ts';
import { isStreamGone } from './errors.ts';
import { durableInfo, ensureDurable, incarnation } from './durable.ts';
import type { JetStreamConnection } from './connection.ts';
import { messageId, parseDelivery, plainBytes, plainHeaders } from './messages.ts';
import { republish } from './publisher.ts';
import { PullRequests } from './pull.ts';

/** Wait before the durable is looked after again when that failed, in ms. */
const TROUBLE_WAIT_MS = 500;
/** How often a consumer with its hands full looks whether its durable is still there, in ms. */
const LOOK_MS = 3000;

/** One handler attached to a durable: pulls what there is room for, keeps alive what is held, comes back after trouble. */
export class NatsConsumer implements Consumer {
  private readonly link: JetStreamConnection;
  private readonly options: ConsumeOptions;
  private readonly handler: (message: BusMessage) => void | Promise<void>;
  private readonly held = new Set<NatsMessage>();
  private heldBytes = 0;
  private readonly running = new Set<Promise<void>>();
  private maxInFlight: number;
  private readonly pull: PullRequests;
  private readonly acks: Acks;
  private readonly keepAlive: NodeJS.Timeout;
  private readonly lookAfter: NodeJS.Timeout;
  /** Of the durable whose messages are held. */
  private created: string;
  private readonly offReconnect: () => void;
  private readonly onStopped: () => void;
  private recovering = false;
  private recoveredAt = -Infinity;
  private stopping: Promise<void> | undefined;

  private constructor(
    link: JetStreamConnection,
    options: ConsumeOptions,
    handler: (message: BusMessage) => void | Promise<void>,
    onStopped: (consumer: NatsConsumer) => void,
    created: string,
  ) {
    this.link = link;
    this.created = created;
    this.options = options;
    this.handler = handler;
    this.onStopped = () => onStopped(this);
    this.maxInFlight = options.maxInFlight ?? 64;
    this.acks = new Acks(link, {
      stream: options.stream,
      isRecovering: () => this.recovering,
      onSilence: () => void this.recover(),
    });
    this.pull = new PullRequests(link, {
      stream: options.stream,
      durable: options.durable,
      batch: () => Math.ceil(this.maxInFlight / 4),
      room: () => (this.stopping === undefined ? this.maxInFlight - this.held.size : 0),
      roomBytes: () => (options.maxBytesInFlight ?? Infinity) - this.heldBytes,
      idle: () => this.held.size === 0,
      onMessage: (message) => this.take(message),
      onTrouble: () => void this.recover(),
    });
    this.keepAlive = setInterval(
      () => {
        for (const message of this.held) message.working();
      },
      (options.ackWaitMs ?? 30_000) / 3,
    );
    this.lookAfter = setInterval(() => void this.look(), LOOK_MS);
    this.offReconnect = link.onReconnect(() => void this.recover());
  }

  static async start(
    link: JetStreamConnection,
    options: ConsumeOptions,
    handler: (message: BusMessage) => void | Promise<void>,
    onStopped: (consumer: NatsConsumer) => void,
  ): Promise<NatsConsumer> {
    const created = await ensureDurable(link, options).catch((thrown: unknown) => {
      const error = MillraceError.from(thrown);
      if (error.code !== 'failed_precondition' || options.onConflict === undefined) throw error;
      options.onConflict(error);
      return undefined;
    });
    const consumer = new NatsConsumer(link, options, handler, onStopped, created ?? '');
    if (created !== undefined) consumer.pull.restart();
    else void consumer.recover('conflict');
    return consumer;
  }

  get inFlight(): number {
    return this.held.size;
  }

  async pending(): Promise<number> {
    const { stream, durable } = this.options;
    const info = await this.link.call(`durable ${durable} of ${stream}`, () => this.link.jsm.consumers.info(stream, durable));
    return info.num_pending;
  }

  limit(maxInFlight: number): void {
    this.maxInFlight = Math.max(1, maxInFlight);
    this.pull.refill();
  }

  stop(timeoutMs = 5000): Promise<void> {
    this.stopping ??= this.drain(timeoutMs);
    return this.stopping;
  }

  private async drain(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    this.offReconnect();
    clearInterval(this.lookAfter);
    await this.pull.stop(timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, deadline - performance.now()));
    });
    await Promise.race([Promise.allSettled(this.running), timeout]);
    for (const message of [...this.held]) message.nak();
    if (!this.link.nc.isClosed()) await Promise.race([this.link.nc.flush().catch(() => {}), timeout]);
    clearTimeout(timer);
    clearInterval(this.keepAlive);
    this.onStopped();
  }

  private take(raw: Msg): void {
    const delivery = parseDelivery(raw.reply ?? '');
    if (delivery === undefined) return;
    if (this.stopping !== undefined) {
      raw.respond('-NAK');
      return;
    }
    const message = new NatsMessage(this.link, this.acks, this.options.stream, raw, delivery, (work) => {
      if (this.held.delete(message)) this.heldBytes -= message.data.length;
      if (work !== undefined) this.track(work);
      this.pull.refill();
    });
    this.held.add(message);
    this.heldBytes += message.data.length;
    const maxDeliver = this.options.maxDeliver ?? 5;
    if (maxDeliver >= 0 && message.deliveryCount > maxDeliver) {
      message.giveUp();
      return;
    }
    this.track(
      (async () => {
        try {
          await this.handler(message);
        } catch {
          message.nak(retryDelayMs(message.deliveryCount));
        }
      })(),
    );
  }

  private track(work: Promise<void>): void {
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
  }

  /** A consumer that has its hands full asks for nothing, so that nobody tells it when its durable is gone. */
  private async look(): Promise<void> {
    if (this.recovering || this.pull.isAsking || this.link.nc.isClosed()) return;
    const found = await durableInfo(this.link, this.options).then(
      (info) => info && incarnation(info),
      // Where the stream is gone, so is the durable; where nobody answers, nothing is known.
      (thrown: unknown) => (isStreamGone(thrown) ? undefined : this.created),
    );
    if (found !== this.created) await this.recover();
  }

  /** What was given out before is nobody's any more. */
  private reset(created: string): void {
    this.created = created;
    for (const message of [...this.held]) message.orphan();
    this.options.onReset?.();
  }

  /** The durable may be gone, or the server may have forgotten our requests: sees to both until it succeeds. */
  private async recover(told?: 'conflict'): Promise<void> {
    if (this.recovering) return;
    let conflict = told !== undefined;
    this.recovering = true;
    // Trouble that comes back at once must not become a busy loop.
    const rest = this.recoveredAt + TROUBLE_WAIT_MS - performance.now();
    if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
    while (this.stopping === undefined && !this.link.nc.isClosed()) {
      try {
        const created = await ensureDurable(this.link, this.options);
        if (this.created === '') this.created = created;
        if (created !== this.created) this.reset(created);
        if (this.stopping === undefined) this.pull.restart();
        break;
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        if (error.code === 'failed_precondition' && !conflict) this.options.onConflict?.(error);
        conflict = error.code === 'failed_precondition';
        await new Promise((resolve) => setTimeout(resolve, TROUBLE_WAIT_MS));
      }
    }
    this.recoveredAt = performance.now();
    this.recovering = false;
  }
}

class NatsMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  readonly sequence: number;
  readonly deliveryCount: number;
  private readonly link: JetStreamConnection;
  private readonly acks: Acks;
  private readonly stream: string;
  private readonly raw: Msg;
  private readonly onSettled: (work?: Promise<void>) => void;
  private settled: Promise<void> | undefined;
  private orphaned = false;

  constructor(
    link: JetStreamConnection,
    acks: Acks,
    stream: string,
    raw: Msg,
    delivery: { sequence: number; deliveryCount: number },
    onSettled: (work?: Promise<void>) => void,
  ) {
    this.link = link;
    this.acks = acks;
    this.stream = stream;
    this.raw = raw;
    this.subject = raw.subject;
    this.data = plainBytes(raw.data);
    this.headers = plainHeaders(raw.headers);
    this.id = messageId(raw.headers);
    this.sequence = delivery.sequence;
    this.deliveryCount = delivery.deliveryCount;
    this.onSettled = onSettled;
  }

  ack(): Promise<void> {
    if (this.settled === undefined) {
      this.settled = this.acks.confirm(this.raw.reply!, this.sequence, () => this.orphaned);
      this.settled.then(
        () => this.onSettled(),
        () => this.onSettled(),
      );
    }
    return this.settled;
  }

  nak(delayMs = 0): void {
    if (this.settled !== undefined) return;
    this.settled = Promise.resolve();
    this.say(delayMs > 0 ? `-NAK ${JSON.stringify({ delay: nanos(delayMs) })}` : '-NAK');
    this.onSettled();
  }

  term(reason: string): void {
    this.bury(reason, this.deliveryCount);
  }

  /** It was delivered too often before. */
  giveUp(): void {
    this.bury(MAX_DELIVERIES, this.deliveryCount - 1);
  }

  working(): void {
    this.say('+WPI');
  }

  /** The durable that gave it out is gone. The handler goes on; what it settles then is told to nobody. */
  orphan(): void {
    this.orphaned = true;
    if (this.settled !== undefined) return;
    this.onSettled();
  }

  private say(word: string): void {
    if (!this.orphaned && !this.link.nc.isClosed()) this.link.nc.publish(this.raw.reply!, word);
  }

  private async terminate(): Promise<void> {
    if (this.orphaned) return;
    const { nc } = this.link;
    await this.link.call(`terminating ${this.stream} ${this.sequence}`, () =>
      nc.request(this.raw.reply!, '+TERM', { timeout: 5000 }),
    );
  }

  private bury(reason: string, deliveries: number): void {
    if (this.settled !== undefined) return;
    this.settled = this.move(reason, deliveries);
    this.onSettled(this.settled);
  }

  /** First the copy, then the end: a message whose copy failed is delivered again. */
  private async move(reason: string, deliveries: number): Promise<void> {
    const headers = deadLetterHeaders({
      stream: this.stream,
      subject: this.subject,
      id: this.id,
      sequence: this.sequence,
      headers: this.headers,
      reason,
      deliveries,
    });
    try {
      const id = deadLetterId(this.stream, this.sequence);
      await republish(this.link, `${this.link.deadLetterPrefix}.${this.stream}`, this.data, { id, headers });
      await this.terminate();
    } catch {
      this.say(`-NAK ${JSON.stringify({ delay: nanos(retryDelayMs(this.deliveryCount)) })}`);
    }
  }
}
