import type { Clock } from '../../clock/clock.ts';
import { MillraceError } from '../../errors.ts';
import type { BusMessage, ConsumeOptions, Consumer, StoredMessage } from '../bus.ts';
import { retryDelayMs } from '../callback.ts';
import type { MemoryDurable, Taker } from './durable.ts';
import { MemoryMessage } from './message.ts';
import type { MemoryServer } from './server.ts';

/** Wait before a durable that is gone is made again, in ms. */
const TROUBLE_WAIT_MS = 500;

/** One handler attached to a durable of a memory server. */
export class MemoryConsumer implements Consumer, Taker {
  private readonly server: MemoryServer;
  private durable: MemoryDurable | undefined;
  private readonly options: ConsumeOptions;
  private readonly clock: Clock;
  private maxInFlight: number;
  private readonly maxBytes: number;
  private readonly handler: (message: BusMessage) => void | Promise<void>;
  /** By sequence in the stream. */
  private readonly held = new Map<number, MemoryMessage>();
  private heldBytes = 0;
  private suspended = false;
  private running = 0;
  private idle: (() => void) | undefined;
  private stopping: Promise<void> | undefined;
  private readonly onStopped: () => void;

  constructor(
    server: MemoryServer,
    options: ConsumeOptions,
    handler: (message: BusMessage) => void | Promise<void>,
    onStopped: () => void,
  ) {
    this.server = server;
    this.clock = server.clock;
    this.options = options;
    this.maxInFlight = options.maxInFlight ?? 64;
    this.maxBytes = options.maxBytesInFlight ?? Infinity;
    this.handler = handler;
    this.onStopped = onStopped;
    try {
      this.durable = server.durable(options);
      this.durable.attach(this);
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'failed_precondition' || options.onConflict === undefined) throw error;
      options.onConflict(error);
      void this.reattach(true);
    }
  }

  get inFlight(): number {
    return this.held.size;
  }

  get room(): number {
    return this.stopping === undefined && !this.suspended && this.heldBytes < this.maxBytes
      ? this.maxInFlight - this.held.size
      : 0;
  }

  take(stored: StoredMessage, deliveryCount: number): void {
    // What its handler still has when its ack wait runs out stays with that handler.
    if (this.held.has(stored.sequence)) return;
    const { server } = this;
    const onSettled = (settled: MemoryMessage): void => {
      this.release(settled);
      this.durable?.wake();
    };
    const message = new MemoryMessage({ server, durable: this.durable!, stored, deliveryCount, onSettled });
    this.held.set(message.sequence, message);
    this.heldBytes += message.data.length;
    this.running++;
    void this.run(message);
  }

  private release(message: MemoryMessage): void {
    if (this.held.get(message.sequence) !== message) return;
    this.held.delete(message.sequence);
    this.heldBytes -= message.data.length;
  }

  /** The durable is deleted, with its stream or alone: makes it again as soon as that can be. */
  gone(): void {
    void this.reattach();
  }

  private async reattach(conflict = false): Promise<void> {
    const isNew = this.durable === undefined;
    const orphans = [...this.held.values()];
    while (this.stopping === undefined) {
      await this.clock.sleep(TROUBLE_WAIT_MS);
      if (this.stopping !== undefined) return;
      try {
        this.durable = this.server.durable(this.options);
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        if (error.code === 'failed_precondition' && !conflict) this.options.onConflict?.(error);
        conflict = error.code === 'failed_precondition';
        continue;
      }
      for (const message of orphans) this.release(message);
      if (!isNew) this.options.onReset?.();
      this.durable.attach(this);
      return;
    }
  }

  /** While its connection is away it asks for nothing; what was given to it stays its own. For simulation. */
  suspend(isAway: boolean): void {
    this.suspended = isAway;
    this.durable?.wake();
  }

  pending(): Promise<number> {
    return Promise.resolve(this.durable?.waiting() ?? 0);
  }

  limit(maxInFlight: number): void {
    this.maxInFlight = Math.max(1, maxInFlight);
    this.durable?.wake();
  }

  stop(timeoutMs = 5000): Promise<void> {
    this.stopping ??= this.drain(timeoutMs);
    return this.stopping;
  }

  /** The connection is gone: nothing is handed back, whatever the handlers still do counts for nothing. */
  sever(): void {
    this.stopping ??= Promise.resolve();
    for (const message of this.held.values()) message.sever();
    this.durable?.lost(this);
    this.held.clear();
  }

  private async run(message: MemoryMessage): Promise<void> {
    try {
      await this.handler(message);
    } catch {
      message.nak(retryDelayMs(message.deliveryCount));
    }
    this.running--;
    if (this.running === 0) this.idle?.();
  }

  private async drain(timeoutMs: number): Promise<void> {
    this.durable?.detach(this);
    if (this.running > 0) {
      const timeout = new AbortController();
      const finished = new Promise<void>((resolve) => (this.idle = resolve));
      await Promise.race([finished, this.clock.sleep(timeoutMs, timeout.signal).catch(() => {})]);
      timeout.abort();
    }
    // Over a connection that is away nothing is handed back.
    if (this.suspended) this.durable?.lost(this);
    else for (const message of [...this.held.values()]) message.nak();
    this.onStopped();
  }
}
