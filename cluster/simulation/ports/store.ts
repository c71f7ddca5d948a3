import { MillraceError } from '../../../src/errors.ts';
import type { TableName } from '../../../src/records/tables.ts';
import type { QueryOptions, QueryResult, Store } from '../../../src/store/store.ts';
import type { Life } from '../life.ts';
import type { World } from '../world.ts';

/** What a slow insert takes at most, in ms. */
const SLOWEST_MS = 20_000;
const REFUSED_AFTER_MS = 50;

/** The store as the process reaches it that owns its connection. */
export class SimulatedStore implements Store {
  readonly #world: World;
  readonly #life: Life;
  #isClosed = false;

  constructor(world: World, life: Life) {
    this.#world = world;
    this.#life = life;
  }

  async migrate(): Promise<number[]> {
    this.#checkOpen();
    return this.#life.through(this.#world.store.migrate());
  }

  async insert(table: TableName, rows: Uint8Array, token: string): Promise<void> {
    this.#checkOpen();
    const { faults, clock, recorder, store, observer } = this.#world;
    const { node } = this.#life;
    const what = `insert ${table} ${token}`;
    const from = recorder.note(node, 'insert', `${table}, ${rows.length} bytes`);
    const sent = rows.slice();
    await this.#life.running();
    const struck = (kind: Parameters<typeof faults.strikes>[0]) => faults.strikes(kind, what);
    const slow = struck('insert-slow');
    await clock.sleep(slow ? slow.amount * SLOWEST_MS : 0.5);
    const refuse = async (message: string, code: 'unavailable' | 'resource_exhausted', fault?: string): Promise<never> => {
      recorder.note('store', 'refused', `${table}: ${message}`, { from, ...(fault !== undefined && { fault }) });
      await clock.sleep(REFUSED_AFTER_MS);
      await this.#life.running();
      throw new MillraceError(code, message);
    };
    const { storeTrouble } = this.#world;
    if (storeTrouble === 'away') await refuse('the store does not answer', 'unavailable');
    if (storeTrouble === 'full') await refuse('no space left on the disk of the store', 'resource_exhausted');
    const failed = struck('insert-failed');
    if (failed) await refuse('the store does not answer', 'unavailable', failed.id);
    const large = struck('insert-too-large');
    if (large) await refuse('the batch is too large for the memory of the store', 'resource_exhausted', large.id);
    await store.insert(table, sent, token);
    if (this.#world.insertedBefore(token)) observer.saw('insert-repeated');
    recorder.note('store', 'inserted', table, { from });
    observer.inserted(table, sent);
    const unheard = struck('insert-failed-but-done');
    if (unheard) await refuse('the store does not answer', 'unavailable', unheard.id);
    await this.#life.running();
  }

  async query(sql: string, options?: QueryOptions): Promise<QueryResult> {
    this.#checkOpen();
    return this.#life.through(this.#world.store.query(sql, options));
  }

  /** The rows outlive the process: only its own connection is closed. */
  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new MillraceError('failed_precondition', 'the store is closed');
  }
}
