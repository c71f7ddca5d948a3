import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { insertItems } from './batch.ts';
import type { Item } from './batch.ts';
import type { Store } from './store.ts';

/** What a batcher needs of a logger; pino's fits. */
export interface BatcherLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** When a batch is sent: so many rows, so many bytes, or so many milliseconds after its first item. */
export const BATCH = { rows: 10_000, bytes: 48 * 1024 * 1024, delayMs: 1000 } as const;

/** Bounds of the batches that a {@link Batcher} makes. */
export interface BatchLimits {
  /** A batch is sent when it has this many rows and none is on its way. Default 10_000. */
  batchRows?: number;
  /** Rows of a batch at most: what has come while the batch before was on its way. Default 50_000, at least `batchRows`. */
  maxBatchRows?: number;
  /** Bytes of a batch at most, unpacked; a batch of so many is sent too. Default 48 MiB. */
  batchBytes?: number;
  /**
   * A batch is also sent when its first item is this old, with rows of many jobs up to five times as old. Default 1000: each insert makes
   * parts to be merged for each of its jobs, whatever its size.
   */
  maxDelayMs?: number;
  /** Batches on their way at once. Default 1. */
  concurrency?: number;
}

/** What a {@link Batcher} works with. */
export interface BatcherOptions {
  store: Store;
  clock: Clock;
  log: BatcherLog;
  /** Uniform in [0, 1), for the jitter of the waits between attempts. */
  uniform: () => number;
  limits: BatchLimits;
}

/** Rows of a batch at most, by default. */
const MAX_BATCH_ROWS = 50_000;

/** A batch with rows of more jobs than this waits longer, in proportion, up to `MAX_DELAYS` times the delay. */
const JOBS_PER_DELAY = 20;
const MAX_DELAYS = 5;
/** Rows for each job that a batch of many jobs is to have: a job's rows are parts of their own. */
const ROWS_PER_JOB = 400;

/** What became of an item. */
export type Fate =
  /** Its rows are in the store. */
  | { kind: 'stored' }
  /** The store refuses its rows. */
  | { kind: 'refused'; reason: string }
  /** The batcher was closed before. */
  | { kind: 'left' };

/** What a batcher has done and what it waits for. */
export interface BatcherStats {
  /** Batches sent, without repetitions. */
  batches: number;
  /** Attempts that failed and were repeated. */
  retries: number;
  /** Items held: waiting for their batch, or in one on its way. */
  held: number;
  heldRows: number;
  /** Bytes of their messages, as they travel. */
  heldBytes: number;
  /** In words; empty when nothing is held. */
  waitingFor: string;
}

const LEFT: Fate = { kind: 'left' };

interface Waiting extends Item {
  settle(fate: Fate): void;
}

/**
 * Collects items to batches, keeps at most `concurrency` of them on their way, and says what became of each. A batch is sent as soon as
 * there are enough rows for one; what comes while all are on their way is in the next one, up to the limits of a batch. So batches
 * grow with the load: each insert costs the same again, whatever its size.
 */
export class Batcher {
  readonly #options: Omit<BatcherOptions, 'limits'>;
  readonly #limits: Required<BatchLimits>;
  readonly #abort = new AbortController();
  /** Inserts on their way. */
  #inserting = 0;
  readonly #open = new Set<Promise<void>>();
  #pending: Waiting[] = [];
  /** Jobs that they are of. */
  #pendingJobs = new Set<string>();
  #pendingRows = 0;
  #pendingBytes = 0;
  #held = 0;
  #heldRows = 0;
  #heldBytes = 0;
  #due = false;
  #timer: AbortController | undefined;
  #draining = false;
  #trouble = '';
  readonly #done = { batches: 0, retries: 0 };

  constructor({ limits, ...options }: BatcherOptions) {
    this.#options = options;
    const { batchRows = BATCH.rows, batchBytes = BATCH.bytes, maxDelayMs = BATCH.delayMs, concurrency = 1 } = limits;
    const maxBatchRows = Math.max(limits.maxBatchRows ?? MAX_BATCH_ROWS, batchRows);
    this.#limits = { batchRows, maxBatchRows, batchBytes, maxDelayMs, concurrency };
  }

  /** Takes an item; resolves when it is known what became of it. Never rejects. */
  add(item: Item): Promise<Fate> {
    if (this.#abort.signal.aborted) return Promise.resolve(LEFT);
    this.#held += 1;
    this.#heldRows += item.rows;
    this.#heldBytes += item.heldBytes;
    return new Promise((resolve) => {
      const settle = (fate: Fate): void => {
        this.#held -= 1;
        this.#heldRows -= item.rows;
        this.#heldBytes -= item.heldBytes;
        resolve(fate);
      };
      this.#pending.push({ ...item, settle });
      this.#pendingJobs.add(item.job);
      this.#pendingRows += item.rows;
      this.#pendingBytes += item.bytes;
      this.#pump();
    });
  }

  /** From now on nothing waits for its batch to fill. */
  flush(): void {
    this.#draining = true;
    this.#pump();
  }

  /** Ends all waiting; what is not in the store by now is left. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#timer?.abort();
    await Promise.all(this.#open);
    for (const item of this.#pending.splice(0)) item.settle(LEFT);
  }

  stats(): BatcherStats {
    const filling = this.#inserting > 0 ? 'the insert of a batch' : 'a batch to fill';
    const waitingFor = this.#held === 0 ? '' : this.#trouble || filling;
    return { ...this.#done, held: this.#held, heldRows: this.#heldRows, heldBytes: this.#heldBytes, waitingFor };
  }

  #pump(): void {
    const { batchBytes, concurrency } = this.#limits;
    while (this.#pending.length > 0 && this.#inserting < concurrency && !this.#abort.signal.aborted) {
      const full = this.#pendingRows >= this.#enoughRows() || this.#pendingBytes >= batchBytes;
      if (!full && !this.#due && !this.#draining) {
        this.#startTimer();
        return;
      }
      this.#send(this.#take());
    }
  }

  #enoughRows(): number {
    const { batchRows, maxBatchRows } = this.#limits;
    const { size: jobs } = this.#pendingJobs;
    return jobs <= JOBS_PER_DELAY ? batchRows : Math.min(maxBatchRows, Math.max(batchRows, ROWS_PER_JOB * jobs));
  }

  /** The oldest items, up to the limits of a batch; at least one. */
  #take(): Waiting[] {
    const { maxBatchRows, batchBytes } = this.#limits;
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
    const taken = this.#pending.splice(0, count);
    this.#pendingJobs = new Set(this.#pending.map(({ job }) => job));
    return taken;
  }

  /** @param delays - how often the oldest item has waited for the delay already */
  #startTimer(delays = 0): void {
    if (this.#timer) return;
    const timer = new AbortController();
    this.#timer = timer;
    this.#options.clock.sleep(this.#limits.maxDelayMs, timer.signal).then(
      () => {
        this.#timer = undefined;
        this.#due = delays + 1 >= Math.min(MAX_DELAYS, this.#pendingJobs.size / JOBS_PER_DELAY);
        if (this.#due) this.#pump();
        else this.#startTimer(delays + 1);
      },
      () => {},
    );
  }

  #send(batch: Waiting[]): void {
    this.#done.batches += 1;
    this.#inserting += 1;
    const work = this.#insert(batch).finally(() => {
      this.#open.delete(work);
      this.#inserting -= 1;
      this.#pump();
    });
    this.#open.add(work);
  }

  async #insert(batch: readonly Waiting[]): Promise<void> {
    const { store, clock, log, uniform } = this.#options;
    const open = new Set<Waiting>(batch);
    const settle = (item: Item, fate: Fate): void => {
      open.delete(item as Waiting);
      (item as Waiting).settle(fate);
    };
    try {
      await insertItems(batch, {
        store,
        clock,
        uniform,
        signal: this.#abort.signal,
        onRetry: (error, attempt, delayMs) => this.#retrying(error, attempt, delayMs),
        onStored: (items) => {
          this.#trouble = '';
          for (const item of items) settle(item, { kind: 'stored' });
        },
        onPoison: (item, { message }) => settle(item, { kind: 'refused', reason: message }),
      });
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      if (error.code !== 'cancelled') log.error({ error: error.message }, 'a batch was left to be redelivered');
    }
    for (const item of open) item.settle(LEFT);
  }

  #retrying({ code, message }: MillraceError, attempt: number, delayMs: number): void {
    this.#done.retries += 1;
    this.#trouble = `the store (attempt ${attempt} failed: ${message})`;
    this.#options.log.warn({ code, error: message, attempt, delayMs: Math.round(delayMs) }, 'insert failed, will be repeated');
  }
}
