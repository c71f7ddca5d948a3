import type { BusMessage } from '../bus/bus.ts';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { insertItems } from './batch.ts';
import type { Item } from './batch.ts';
import type { Store } from './store.ts';

/** What the writer needs of a logger; pino's fits. */
export interface WriterLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Options of {@link Batcher}; see WriterOptions. */
export interface BatcherOptions {
  store: Store;
  clock: Clock;
  log: WriterLog;
  uniform: () => number;
  batchRows: number;
  maxBatchRows: number;
  batchBytes: number;
  maxDelayMs: number;
  concurrency: number;
}

/** What a writer has done and what it waits for. */
export interface BatcherStats {
  /** Messages, rows and bytes that are in the store and acknowledged. */
  messages: number;
  rows: number;
  bytes: number;
  /** Batches sent, without repetitions. */
  batches: number;
  /** Attempts that failed and were repeated. */
  retries: number;
  /** Messages given up because the store refuses their rows. */
  poisoned: number;
  /** Messages held: waiting for their batch, or in one on its way. */
  held: number;
  heldRows: number;
  /** Bytes of the messages held, as they travel. */
  heldBytes: number;
  /** In words; empty when nothing is held. */
  waitingFor: string;
}

interface Waiting extends Item {
  settled(): void;
}

/**
 * Collects items to batches, keeps at most `concurrency` of them on their way, settles the messages. A batch is sent as soon as
 * there are enough rows for one; what comes while all are on their way is in the next one, up to the limits of a batch. So batches
 * grow with the load: each insert costs the same again, whatever its size.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #abort = new AbortController();
  /** Inserts on their way. */
  #inserting = 0;
  /** Batches whose messages are not all settled. */
  readonly #open = new Set<Promise<void>>();
  #pending: Waiting[] = [];
  #pendingRows = 0;
  #pendingBytes = 0;
  #held = 0;
  #heldRows = 0;
  #heldBytes = 0;
  #due = false;
  #timer: AbortController | undefined;
  #draining = false;
  #trouble = '';
  readonly #done = { messages: 0, rows: 0, bytes: 0, batches: 0, retries: 0, poisoned: 0 };

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Takes an item; resolves when its message is settled, or left to the bus. Never rejects. */
  add(item: Item): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve();
    this.#held += 1;
    this.#heldRows += item.rows;
    this.#heldBytes += item.message.data.length;
    return new Promise((resolve) => {
      const settled = (): void => {
        this.#held -= 1;
        this.#heldRows -= item.rows;
        this.#heldBytes -= item.message.data.length;
        resolve();
      };
      this.#pending.push({ ...item, settled });
      this.#pendingRows += item.rows;
      this.#pendingBytes += item.bytes;
      this.#pump();
    });
  }

  /** Gives a message up. */
  refuse(message: BusMessage, error: MillraceError): void {
    this.#done.poisoned += 1;
    this.#options.log.error(
      { subject: message.subject, id: message.id, error: error.message },
      'rows refused: message goes to the DLQ',
    );
    message.term(error.message);
  }

  /** From now on nothing waits for its batch to fill. */
  flush(): void {
    this.#draining = true;
    this.#pump();
  }

  /** Ends all waiting; what is not in the store by now stays with the bus. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#timer?.abort();
    await Promise.all(this.#open);
    for (const item of this.#pending.splice(0)) item.settled();
  }

  stats(): BatcherStats {
    const filling = this.#inserting > 0 ? 'the insert of a batch' : 'a batch to fill';
    const waitingFor = this.#held === 0 ? '' : this.#trouble || filling;
    return { ...this.#done, held: this.#held, heldRows: this.#heldRows, heldBytes: this.#heldBytes, waitingFor };
  }

  #pump(): void {
    const { batchRows, batchBytes, concurrency } = this.#options;
    while (this.#pending.length > 0 && this.#inserting < concurrency && !this.#abort.signal.aborted) {
      const full = this.#pendingRows >= batchRows || this.#pendingBytes >= batchBytes;
      if (!full && !this.#due && !this.#draining) {
        this.#startTimer();
        return;
      }
      this.#send(this.#take());
    }
  }

  /** The oldest items, up to the limits of a batch; at least one. */
  #take(): Waiting[] {
    const { maxBatchRows, batchBytes } = this.#options;
    let count = 0;
    let rows = 0;
    let bytes = 0;
    for (const item of this.#pending) {
      if (count > 0 && (rows + item.rows > maxBatchRows || bytes + item.bytes > batchBytes)) break;
      count += 1;
      rows += item.rows;
      bytes += item.bytes;
    }
    this.#pendingRows -= rows;
    this.#pendingBytes -= bytes;
    this.#due = false;
    this.#timer?.abort();
    this.#timer = undefined;
    return this.#pending.splice(0, count);
  }

  #startTimer(): void {
    if (this.#timer) return;
    const timer = new AbortController();
    this.#timer = timer;
    this.#options.clock.sleep(this.#options.maxDelayMs, timer.signal).then(
      () => {
        this.#timer = undefined;
        this.#due = true;
        this.#pump();
      },
      () => {},
    );
  }

  #send(batch: Waiting[]): void {
    this.#done.batches += 1;
    this.#inserting += 1;
    const work = this.#insert(batch, () => {
      this.#inserting -= 1;
      this.#pump();
    }).finally(() => this.#open.delete(work));
    this.#open.add(work);
  }

  /** @param inserted - called when the insert is over; the next one need not wait for the acknowledgements of this one. */
  async #insert(batch: Waiting[], inserted: () => void): Promise<void> {
    const { store, clock, log, uniform } = this.#options;
    const acks: Promise<void>[] = [];
    const open = new Set<Item>(batch);
    try {
      await insertItems(batch, {
        store,
        clock,
        uniform,
        signal: this.#abort.signal,
        onRetry: (error, attempt, delayMs) => {
          this.#done.retries += 1;
          this.#trouble = `the store (attempt ${attempt} failed: ${error.message})`;
          log.warn(
            { code: error.code, error: error.message, attempt, delayMs: Math.round(delayMs) },
            'insert failed, will be repeated',
          );
        },
        onStored: (items) => {
          this.#trouble = '';
          for (const item of items) {
            open.delete(item);
            acks.push(this.#acknowledge(item as Waiting));
          }
        },
        onPoison: (item, error) => {
          open.delete(item);
          this.refuse(item.message, error);
          (item as Waiting).settled();
        },
      });
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'cancelled') log.error({ error: error.message }, 'a batch was left to be redelivered');
    }
    inserted();
    await Promise.all(acks);
    for (const item of open) (item as Waiting).settled();
  }

  async #acknowledge(item: Waiting): Promise<void> {
    try {
      await item.message.ack();
      this.#done.messages += 1;
      this.#done.rows += item.rows;
      this.#done.bytes += item.bytes;
    } catch (error) {
      // It comes again, and its rows collapse with those written now.
      this.#options.log.warn({ id: item.message.id, error: MillraceError.from(error).message }, 'acknowledgement failed');
    }
    item.settled();
  }
}
