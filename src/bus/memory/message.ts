import { MillraceError } from '../../errors.ts';
import type { BusMessage, StoredMessage } from '../bus.ts';
import type { MemoryDurable } from './durable.ts';
import type { MemoryServer } from './server.ts';

/** What a {@link MemoryMessage} is made of. */
export interface MemoryDelivery {
  server: MemoryServer;
  /** The durable that gives the message out. */
  durable: MemoryDurable;
  stored: StoredMessage;
  /** 1 at the first delivery. */
  deliveryCount: number;
  onSettled: (message: MemoryMessage) => void;
}

/** One delivery of a message: settled once, by its handler or by the connection's end. */
export class MemoryMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  readonly sequence: number;
  readonly deliveryCount: number;
  private readonly server: MemoryServer;
  private readonly durable: MemoryDurable;
  private readonly onSettled: (message: MemoryMessage) => void;
  private state: 'held' | 'settled' | 'severed' = 'held';

  constructor({ server, durable, stored, deliveryCount, onSettled }: MemoryDelivery) {
    this.server = server;
    this.durable = durable;
    this.subject = stored.subject;
    this.data = stored.data.slice();
    this.headers = stored.headers;
    this.id = stored.id;
    this.sequence = stored.sequence;
    this.deliveryCount = deliveryCount;
    this.onSettled = onSettled;
  }

  ack(): Promise<void> {
    if (this.state === 'severed')
      return Promise.reject(new MillraceError('unavailable', 'the connection was lost before the ack'));
    if (this.settle()) this.server.acked(this.durable, this.sequence);
    return Promise.resolve();
  }

  nak(delayMs = 0): void {
    if (this.settle()) this.durable.again(this.sequence, delayMs);
  }

  term(reason: string): void {
    if (!this.settle()) return;
    this.server.bury(this.durable.config.stream, this, this.deliveryCount, reason);
    this.server.acked(this.durable, this.sequence);
  }

  sever(): void {
    this.state = 'severed';
  }

  /** The ack wait passes while its handler still has it: it is given out again, and whoever acknowledges it first does so for all. For simulation. */
  expire(): void {
    if (this.state === 'held') this.durable.again(this.sequence, 1);
  }

  private settle(): boolean {
    if (this.state !== 'held') return false;
    this.state = 'settled';
    this.onSettled(this);
    return true;
  }
}
