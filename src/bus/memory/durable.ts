import { setMaxListeners } from 'node:events';
import type { Clock } from '../../clock/clock.ts';
import type { ConsumeOptions, DurableState, ListedDurable, StoredMessage } from '../bus.ts';
import { subjectMatches } from '../subject.ts';
import type { MemoryStream } from './stream.ts';

/** Someone who takes messages from a durable. */
export interface Taker {
  /** How many more messages it would take now. */
  readonly room: number;
  take(message: StoredMessage, deliveryCount: number): void;
  /** The durable is deleted. */
  gone(): void;
}

/** {@link ConsumeOptions} with every default filled in. */
export type DurableConfig = Required<Omit<ConsumeOptions, 'onReset' | 'onConflict'>>;

/** Fills in the defaults that {@link ConsumeOptions} documents. */
export function durableConfig(options: ConsumeOptions): DurableConfig {
  const { onReset: _r, onConflict: _c, ...rest } = options;
  return { maxInFlight: 64, maxBytesInFlight: Infinity, maxAckPending: 1000, ackWaitMs: 30_000, maxDeliver: 5, ...rest };
}

/** How long a server may wait before it writes down how far a durable is, in ms. */
const UNWRITTEN_MS = 100;

/** How one message stood before something changed. */
interface Before {
  at: number;
  sequence: number;
  cursor: number;
  wasPending: boolean;
  deliveries: number;
}

/** What a {@link MemoryDurable} works with. */
export interface DurableParts {
  stream: MemoryStream;
  clock: Clock;
  /** Tells it from others of its name. */
  created: string;
  /** Keeps what {@link MemoryDurable.forget} needs. */
  killable: boolean;
  /** Called with a message that was delivered too often. */
  onDead: (message: StoredMessage, deliveries: number) => void;
}

/** One durable consumer as the server sees it: what was delivered, what waits for an acknowledgement, what comes again. */
export class MemoryDurable {
  config: DurableConfig;
  readonly created: string;
  private readonly stream: MemoryStream;
  private readonly clock: Clock;
  private readonly onDead: (message: StoredMessage, deliveries: number) => void;
  /** Next sequence that was never delivered. */
  private cursor = 1;
  /** Delivered, or waiting for its next delivery; counts against maxAckPending. Holds the taker while someone has it. */
  private readonly pending = new Map<number, Taker | undefined>();
  private readonly deliveries = new Map<number, number>();
  private redeliver: number[] = [];
  private readonly takers = new Set<Taker>();
  private scheduled = false;
  private readonly stopped = new AbortController();
  private readonly killable: boolean;
  /** What may not be on the disk, oldest first. */
  private unwritten: Before[] = [];

  constructor(config: DurableConfig, { stream, clock, created, killable, onDead }: DurableParts) {
    this.config = config;
    this.killable = killable;
    this.created = created;
    this.stream = stream;
    this.clock = clock;
    this.onDead = onDead;
    // As many timers listen to it as messages wait.
    setMaxListeners(0, this.stopped.signal);
  }

  matches(subject: string): boolean {
    return subjectMatches(this.config.filter, subject);
  }

  /** Whether this durable needs the message no more. */
  isDone(sequence: number): boolean {
    return sequence < this.cursor && !this.pending.has(sequence);
  }

  /** Messages never delivered so far. */
  waiting(): number {
    let count = 0;
    for (const [sequence, message] of this.stream.messages) if (sequence >= this.cursor && this.matches(message.subject)) count++;
    return count;
  }

  /** As in the list of a stream's durables. */
  listed(): ListedDurable {
    const { durable, filter } = this.config;
    return { durable, filter, created: this.created, lastDelivered: this.cursor - 1 };
  }

  state(): DurableState {
    const { filter, created, lastDelivered } = this.listed();
    return { filter, created, pending: this.waiting(), ackPending: this.pending.size, lastDelivered };
  }

  attach(taker: Taker): void {
    this.takers.add(taker);
    this.wake();
  }

  detach(taker: Taker): void {
    this.takers.delete(taker);
  }

  /** The taker is gone without a word: what it had comes again after the ack wait. */
  lost(taker: Taker): void {
    this.takers.delete(taker);
    for (const [sequence, holder] of this.pending) if (holder === taker) this.again(sequence, this.config.ackWaitMs);
  }

  ack(sequence: number): void {
    if (this.pending.has(sequence)) this.note(sequence, this.cursor);
    this.pending.delete(sequence);
    this.drop(sequence);
    this.wake();
  }

  /** Forgets what was given out and acknowledged in the last `forMs`: the server was killed before it had written that down. */
  forget(forMs: number): void {
    const since = this.clock.monotonic() - forMs;
    for (const { at, sequence, cursor, wasPending, deliveries } of this.unwritten.reverse()) {
      if (at <= since) break;
      this.cursor = cursor;
      this.pending.delete(sequence);
      this.drop(sequence);
      if (deliveries > 0) this.deliveries.set(sequence, deliveries);
      if (!wasPending || this.stream.get(sequence) === undefined) continue;
      this.pending.set(sequence, undefined);
      this.again(sequence, this.config.ackWaitMs);
    }
    this.unwritten = [];
    this.wake();
  }

  /** Deliver again after a while, at least 1 ms. */
  again(sequence: number, delayMs: number): void {
    if (!this.pending.has(sequence)) return;
    this.pending.set(sequence, undefined);
    const queue = (): void => {
      if (!this.pending.has(sequence)) return;
      this.redeliver.push(sequence);
      this.wake();
    };
    // Never at once: a handler that always hands back must not keep everything else from running.
    this.clock.sleep(Math.max(1, delayMs), this.stopped.signal).then(queue, () => {});
  }

  /** The message left the stream. */
  removed(sequence: number): void {
    if (this.pending.delete(sequence)) this.wake();
    this.drop(sequence);
  }

  stop(): void {
    this.stopped.abort();
    const takers = [...this.takers];
    this.takers.clear();
    for (const taker of takers) taker.gone();
  }

  /** Hands out what can be handed out, in a microtask of its own. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  private pump(): void {
    this.bury();
    for (;;) {
      const taker = this.nextTaker();
      if (taker === undefined) return;
      const { cursor } = this;
      const message = this.next();
      if (message === undefined) return;
      this.note(message.sequence, cursor);
      const count = this.deliveriesOf(message.sequence) + 1;
      this.deliveries.set(message.sequence, count);
      this.pending.set(message.sequence, taker);
      taker.take(message, count);
    }
  }

  /** Takes turns: a taker that got a message goes to the end of the line. */
  private nextTaker(): Taker | undefined {
    for (const taker of this.takers) {
      if (taker.room <= 0) continue;
      this.takers.delete(taker);
      this.takers.add(taker);
      return taker;
    }
    return undefined;
  }

  private next(): StoredMessage | undefined {
    for (let sequence = this.redeliver.shift(); sequence !== undefined; sequence = this.redeliver.shift()) {
      const message = this.stream.get(sequence);
      if (message !== undefined && this.pending.has(sequence)) return message;
    }
    if (this.pending.size >= this.config.maxAckPending) return undefined;
    while (this.cursor <= this.stream.lastSequence) {
      const message = this.stream.get(this.cursor++);
      if (message !== undefined && this.matches(message.subject)) return message;
    }
    return undefined;
  }

  /** Gives up what was delivered too often. */
  private bury(): void {
    if (this.config.maxDeliver < 0) return;
    const dead = this.redeliver.filter((sequence) => this.deliveriesOf(sequence) >= this.config.maxDeliver);
    for (const sequence of dead) {
      const message = this.stream.get(sequence);
      if (message !== undefined) this.onDead(message, this.deliveriesOf(sequence));
    }
  }

  private deliveriesOf(sequence: number): number {
    return this.deliveries.get(sequence) ?? 0;
  }

  private note(sequence: number, cursor: number): void {
    if (!this.killable) return;
    const at = this.clock.monotonic();
    const wasPending = this.pending.has(sequence);
    this.unwritten = this.unwritten.filter((one) => one.at > at - UNWRITTEN_MS);
    this.unwritten.push({ at, sequence, cursor, wasPending, deliveries: this.deliveriesOf(sequence) });
  }

  private drop(sequence: number): void {
    this.deliveries.delete(sequence);
    const at = this.redeliver.indexOf(sequence);
    if (at >= 0) this.redeliver.splice(at, 1);
  }
}
