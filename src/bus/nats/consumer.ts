import type { Msg } from '@nats-io/nats-core';
import type { BusMessage, ConsumeOptions, Consumer } from '../bus.ts';
import { MillraceError } from '../../errors.ts';
import { retryDelayMs } from '../callback.ts';
import { Acks } from './acks.ts';
import { isStreamGone } from './errors.ts';
import { durableInfo, ensureDurable, incarnation } from './durable.ts';
import type { JetStreamConnection } from './connection.ts';
import { NatsMessage } from './message.ts';
import { parseDelivery } from './messages.ts';
import { PullRequests } from './pull.ts';

/** Wait before the durable is looked after again when that failed, in ms. */
const TROUBLE_WAIT_MS = 500;
/** How often a consumer with its hands full looks whether its durable is still there, in ms. */
const LOOK_MS = 3000;

/** What a {@link NatsConsumer} does. */
interface ConsumerParts {
  options: ConsumeOptions;
  handler: (message: BusMessage) => void | Promise<void>;
  onStopped: (consumer: NatsConsumer) => void;
}

/** One handler attached to a durable: pulls what there is room for, keeps alive what is held, comes back after trouble. */
export class NatsConsumer implements Consumer {
  private readonly link: JetStreamConnection;
  private readonly options: ConsumeOptions;
  private readonly handler: (message: BusMessage) => void | Promise<void>;
  /** By sequence in the stream. */
  private readonly held = new Map<number, NatsMessage>();
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

  private constructor(link: JetStreamConnection, created: string, { options, handler, onStopped }: ConsumerParts) {
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
        for (const message of this.held.values()) message.working();
      },
      (options.ackWaitMs ?? 30_000) / 3,
    );
    this.lookAfter = setInterval(() => void this.look(), LOOK_MS);
    this.offReconnect = link.onReconnect(() => void this.recover());
  }

  static async start(link: JetStreamConnection, parts: ConsumerParts): Promise<NatsConsumer> {
    const { options } = parts;
    const created = await ensureDurable(link, options).catch((thrown: unknown) => {
      const error = MillraceError.from(thrown);
      if (error.code !== 'failed_precondition' || options.onConflict === undefined) throw error;
      options.onConflict(error);
      return undefined;
    });
    const consumer = new NatsConsumer(link, created ?? '', parts);
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
    for (const message of [...this.held.values()]) message.nak();
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
    const same = this.held.get(delivery.sequence);
    if (same?.timeMs === delivery.timeMs) {
      // Its ack wait ran out, while the server was away or this process was busy. Its handler goes on with it.
      same.working();
      this.pull.refill();
      return;
    }
    const { link, acks } = this;
    const onSettled = (work?: Promise<void>): void => {
      if (this.held.get(message.sequence) === message) {
        this.held.delete(message.sequence);
        this.heldBytes -= message.data.length;
      }
      if (work !== undefined) this.track(work);
      this.pull.refill();
    };
    const message = new NatsMessage({ link, acks, stream: this.options.stream, raw, delivery, onSettled });
    same?.orphan();
    this.held.set(message.sequence, message);
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
    for (const message of [...this.held.values()]) message.orphan();
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
