import type { BusMessage, ConsumeOptions, Consumer } from '../../../src/bus/bus.ts';
import type { MemoryConsumer } from '../../../src/bus/memory/consumer.ts';
import type { MemoryBus } from '../../../src/bus/memory/memory-bus.ts';
import type { MemoryMessage } from '../../../src/bus/memory/message.ts';
import { retryDelayMs } from '../../../src/bus/callback.ts';
import { GROUPS, ROLLOUTS } from '../../../src/protocol/names.ts';
import type { Struck } from '../faults/injector.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';
import type { Calls } from './calls.ts';

/** A message that is delivered again while it is in hand is so at most this late. */
const LATEST_MS = 3_000;
/** How often a connection that is away is looked after, in ms. */
const LOOK_MS = 250;
/** A message that kills its worker does so within this many ms. */
const LETHAL_MS = 100;
const DEFAULT_ACK_WAIT_MS = 30_000;

/** What {@link Deliveries} works with. */
interface DeliveriesOptions {
  calls: Calls;
  options: ConsumeOptions;
  handler: (message: BusMessage) => void | Promise<void>;
}

/** The messages of one durable on their way to a handler, and what it answers on its way back. */
export class Deliveries implements Consumer {
  readonly #world: World;
  readonly #life: Life;
  readonly #options: ConsumeOptions;
  readonly #handler: DeliveriesOptions['handler'];
  readonly #calls: Calls;
  #consumer!: MemoryConsumer;
  #isSuspended = false;
  /** What the handler has, or is on its way there, and since when. */
  readonly #held = new Map<MemoryMessage, number>();
  #startedAt = 0;
  #stopping = false;

  constructor(world: World, life: Life, { calls, options, handler }: DeliveriesOptions) {
    this.#world = world;
    this.#life = life;
    this.#calls = calls;
    this.#options = options;
    this.#handler = handler;
  }

  async start(bus: MemoryBus): Promise<this> {
    const { onReset, onConflict, ...rest } = this.#options;
    this.#consumer = (await bus.consume(
      {
        ...rest,
        ...(onReset && { onReset: () => this.#life.pass(onReset) }),
        ...(onConflict && { onConflict: (error) => this.#life.pass(() => onConflict(error)) }),
      },
      (message) => this.#deliver(message as MemoryMessage),
    )) as MemoryConsumer;
    this.#startedAt = this.#world.clock.monotonic();
    if (this.#isSilent) void this.#suspend();
    return this;
  }

  get inFlight(): number {
    return this.#consumer.inFlight;
  }

  pending(): Promise<number> {
    return this.#consumer.pending();
  }

  limit(maxInFlight: number): void {
    this.#consumer.limit(maxInFlight);
  }

  async stop(timeoutMs?: number): Promise<void> {
    this.#stopping = true;
    await this.#life.through(this.#consumer.stop(timeoutMs));
    this.#held.clear();
  }

  /**
   * The process cannot say for a while that it still works at what it has, as it does at every third of the ack wait: whatever waits longer
   * than that is given out again.
   */
  silent(): void {
    void this.#suspend();
    const { clock } = this.#world;
    const now = clock.monotonic();
    const saidAt = now - ((now - this.#startedAt) % (this.#ackWaitMs / 3));
    for (const [message, since] of this.#held) {
      void clock.sleep(Math.max(saidAt, since) + this.#ackWaitMs - now).then(() => {
        if (this.#held.has(message) && this.#isSilent) message.expire();
      });
    }
  }

  /** A connection that is away asks for no more messages. */
  async #suspend(): Promise<void> {
    if (this.#isSuspended) return;
    this.#isSuspended = true;
    this.#consumer.suspend(true);
    while (this.#isSilent && !this.#life.hasEnded) await this.#world.clock.sleep(LOOK_MS);
    this.#consumer.suspend(false);
    this.#isSuspended = false;
  }

  get #isSilent(): boolean {
    return this.#life.state === 'paused' || this.#world.network.isCut(this.#life.node, 'nats');
  }

  get #ackWaitMs(): number {
    return this.#options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
  }

  async #deliver(message: MemoryMessage): Promise<void> {
    const { faults, recorder } = this.#world;
    // Whoever published it notes first that it is stored.
    await Promise.resolve();
    const { node } = this.#life;
    const { subject, id, sequence, deliveryCount } = message;
    const what = `${subject} ${id} #${sequence}`;
    const times = deliveryCount > 1 ? `, delivery ${deliveryCount}` : '';
    const stored = recorder.recall(`${subject} #${sequence}`);
    const from = recorder.note('nats', 'deliver', `${what} to ${node}${times}`, stored === undefined ? {} : { from: stored });
    this.#held.set(message, this.#world.clock.monotonic());
    const lost = faults.strikes('delivery-lost', `${node} ${what}`);
    if (lost || !(await this.#calls.receive(`delivery ${what}`))) {
      recorder.note('nats', 'lost', `${what} to ${node}`, { from, lost: true, ...(lost && { fault: lost.id }) });
      this.#expire(message);
      return;
    }
    if (this.#stopping) return message.nak();
    const again = faults.strikes('redelivered', `${node} ${what}`);
    if (again) void this.#world.clock.sleep(again.amount * LATEST_MS).then(() => this.#held.has(message) && message.expire());
    recorder.note(node, 'receive', `${what}${times}`, { from });
    const poison = this.#poison(id);
    if (poison) void this.#world.clock.sleep(poison.amount * LETHAL_MS).then(() => this.#world.crash(this.#life));
    const given = new DeliveredMessage(message, {
      acknowledge: () => this.#acknowledge(message, what),
      signal: (kind, carryOut) => void this.#signal(message, `${kind} ${what}`, carryOut),
    });
    try {
      await this.#handler(given);
    } catch {
      given.nak(retryDelayMs(message.deliveryCount));
    }
  }

  /** A message that kills its worker does so until it is given up. */
  #poison(id: string): Struck | undefined {
    const { stream } = this.#options;
    if (stream !== ROLLOUTS && stream !== GROUPS) return undefined;
    const { poison, faults } = this.#world;
    const place = `${stream} ${id}`;
    const struck = poison.get(place) ?? faults.strikesAlways('poison', place);
    if (struck) poison.set(place, struck);
    return struck;
  }

  async #acknowledge(message: MemoryMessage, what: string): Promise<void> {
    const { recorder, observer } = this.#world;
    const from = recorder.note(this.#life.node, 'ack', what);
    try {
      await this.#calls.call({
        what: `ack ${what}`,
        once: true,
        work: async () => {
          await message.ack();
          recorder.note('nats', 'acked', what, { from });
          observer.acked({ node: this.#life.node, stream: this.#options.stream, durable: this.#options.durable, message });
        },
      });
      this.#held.delete(message);
    } catch (error) {
      this.#expire(message);
      throw error;
    }
  }

  async #signal(message: MemoryMessage, what: string, carryOut: () => void): Promise<void> {
    const from = this.#world.recorder.note(this.#life.node, what.slice(0, what.indexOf(' ')), what.slice(what.indexOf(' ') + 1));
    if (await this.#calls.send(what)) {
      this.#held.delete(message);
      carryOut();
      return;
    }
    this.#world.recorder.note('nats', 'lost', what, { from, lost: true });
    this.#expire(message);
  }

  /** Nobody answers for the message: it is given out again after its ack wait. */
  #expire(message: MemoryMessage): void {
    void this.#world.clock.sleep(this.#ackWaitMs).then(() => {
      if (this.#held.delete(message)) message.nak();
    });
  }
}

interface DeliveredOptions {
  acknowledge: () => Promise<void>;
  signal: (kind: 'nak' | 'term', carryOut: () => void) => void;
}

/** A message in the hands of a process: settled once. */
class DeliveredMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly id: string;
  readonly sequence: number;
  readonly deliveryCount: number;
  readonly #message: MemoryMessage;
  readonly #options: DeliveredOptions;
  #settled: Promise<void> | undefined;

  constructor(message: MemoryMessage, options: DeliveredOptions) {
    ({
      subject: this.subject,
      data: this.data,
      headers: this.headers,
      id: this.id,
      sequence: this.sequence,
      deliveryCount: this.deliveryCount,
    } = message);
    this.#message = message;
    this.#options = options;
  }

  ack(): Promise<void> {
    this.#settled ??= this.#options.acknowledge();
    return this.#settled;
  }

  nak(delayMs?: number): void {
    if (this.#settled) return;
    this.#settled = Promise.resolve();
    this.#options.signal('nak', () => this.#message.nak(delayMs));
  }

  term(reason: string): void {
    if (this.#settled) return;
    this.#settled = Promise.resolve();
    this.#options.signal('term', () => this.#message.term(reason));
  }
}
