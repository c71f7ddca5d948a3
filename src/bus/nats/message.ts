import { nanos } from '@nats-io/nats-core';
import type { Msg } from '@nats-io/nats-core';
import type { BusMessage } from '../bus.ts';
import { retryDelayMs } from '../callback.ts';
import { MAX_DELIVERIES, deadLetterHeaders, deadLetterId } from '../dead-letter.ts';
import type { Acks } from './acks.ts';
import type { JetStreamConnection } from './connection.ts';
import type { DeliveryInfo } from './messages.ts';
import { messageId, plainBytes, plainHeaders } from './messages.ts';
import { republish } from './publisher.ts';

/** What a {@link NatsMessage} is made of. */
export interface NatsDelivery {
  link: JetStreamConnection;
  acks: Acks;
  /** Where the message is stored. */
  stream: string;
  raw: Msg;
  delivery: DeliveryInfo;
  /** Called when the message is settled here, with what is still to be done about it. */
  onSettled: (work?: Promise<void>) => void;
}

/** One delivery of a message: settled once, and then no more. */
export class NatsMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  readonly sequence: number;
  readonly deliveryCount: number;
  /** When the stream took it. */
  readonly timeMs: number;
  private readonly link: JetStreamConnection;
  private readonly acks: Acks;
  private readonly stream: string;
  private readonly raw: Msg;
  private readonly onSettled: (work?: Promise<void>) => void;
  private settled: Promise<void> | undefined;
  private orphaned = false;

  constructor({ link, acks, stream, raw, delivery, onSettled }: NatsDelivery) {
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
    this.timeMs = delivery.timeMs;
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
