import type { BusMessage } from '../../src/bus/bus.ts';
import { WRITER_CALLS, WRITER_EVENTS, WRITER_SCORED, type Durable } from '../../src/protocol/durables.ts';
import type { Item } from '../../src/store/batch.ts';
import { Batcher, type BatcherStats, type BatchLimits } from '../../src/store/batcher.ts';
import { callItem, eventItem, scoredItem } from '../../src/store/incoming-rows.ts';
import type { Store } from '../../src/store/store.ts';
import type { NodeContext } from '../runtime/context.ts';
import type { Delivery } from '../runtime/delivery.ts';
import { DONE, KEPT, refuse, type Settlement } from '../runtime/outcome.ts';
import { Worker, type WorkerContext, type WorkerOptions } from '../runtime/worker.ts';

/** What a {@link Writer} works with; the random numbers are the jitter of the waits between attempts. */
type WriterContext = WorkerContext & Pick<NodeContext, 'random'>;

/** Options of {@link Writer}. */
export interface WriterOptions extends BatchLimits {
  /** Scored groups held in memory at most: two batches of groups as they usually are. Default 1024. */
  maxInFlight?: number;
}

/** What a writer has done and what it waits for. */
export interface WriterStats extends BatcherStats {
  /** Messages, rows and bytes that are in the store and acknowledged. */
  messages: number;
  rows: number;
  bytes: number;
  /** Messages given up because the store refuses their rows. */
  poisoned: number;
}

/**
 * Writes every scored group, every event and every call to the store, in batches. A message is acknowledged after its rows are in the
 * store; one whose rows the store refuses goes to the DLQ with the reason and holds up no other.
 */
export class Writer {
  readonly #batcher: Batcher;
  readonly #workers: Worker<Item>[];
  readonly #written = { messages: 0, rows: 0, bytes: 0 };

  /** @param store - migrated already; see `ensureWriterDurables` */
  constructor(context: WriterContext, store: Store, { maxInFlight, ...limits }: WriterOptions = {}) {
    const { clock, log, random } = context;
    this.#batcher = new Batcher({ store, clock, log, uniform: () => random.uniform(), limits });
    const scored = { ...WRITER_SCORED, ...(maxInFlight !== undefined && { maxInFlight }) };
    this.#workers = [
      new Worker(context, this.#work('scored', { durable: scored, expects: 'ScoredGroup', decode: scoredItem })),
      new Worker(context, this.#work('events', { durable: WRITER_EVENTS, expects: 'row of an event', decode: eventItem })),
      new Worker(context, this.#work('calls', { durable: WRITER_CALLS, expects: 'row of a call', decode: callItem })),
    ];
  }

  /** Begins to take messages. */
  async start(): Promise<this> {
    for (const worker of this.#workers) await worker.start();
    return this;
  }

  stats(): WriterStats {
    const poisoned = this.#workers.reduce((sum, { refused }) => sum + refused, 0);
    return { ...this.#batcher.stats(), ...this.#written, poisoned };
  }

  /** Stops taking messages, writes what it holds for at most `timeoutMs` (default 5000), gives the rest back to the bus. */
  async stop(timeoutMs = 5000): Promise<void> {
    this.#batcher.flush();
    await Promise.all(this.#workers.map((worker) => worker.stop(timeoutMs)));
    await this.#batcher.close();
  }

  #work(name: string, source: { durable: Durable; expects: string; decode: (message: BusMessage) => Item }): WorkerOptions<Item> {
    return { ...source, listedAs: { role: 'store', name }, handle: (item, delivery) => this.#write(item, delivery) };
  }

  async #write(item: Item, delivery: Delivery): Promise<Settlement> {
    const fate = await this.#batcher.add(item);
    if (fate.kind === 'refused') return refuse(fate.reason);
    // What was not written in time is handed back by the worker.
    if (fate.kind === 'left') return KEPT;
    // Where the acknowledgement is lost it comes again, and its rows collapse with those written now.
    await delivery.settle(DONE);
    this.#written.messages += 1;
    this.#written.rows += item.rows;
    this.#written.bytes += item.bytes;
    return KEPT;
  }
}
