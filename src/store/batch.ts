import { createHash } from 'node:crypto';
import type { Clock } from '../clock/clock.ts';
import { MillraceError } from '../errors.ts';
import { joinRows } from '../records/pack.ts';
import type { Store } from './store.ts';
import { TABLE_NAMES, type TableName } from '../records/tables.ts';

/** The rows of one message on their way into the store. */
export interface Item {
  /** Identity of the message that survives redelivery. */
  id: string;
  /** Job that the rows are of. */
  job: string;
  /** Encoded rows, by table; packed or not. */
  blocks: Partial<Record<TableName, Uint8Array>>;
  rows: number;
  /** Bytes of the rows, unpacked. */
  bytes: number;
  /** Bytes of the message, as it travels. */
  heldBytes: number;
}

/** What inserting needs, and where it tells what happened. */
export interface InsertContext {
  store: Store;
  clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  uniform: () => number;
  /** Stops the waiting between attempts. */
  signal: AbortSignal;
  onRetry(error: MillraceError, attempt: number, delayMs: number): void;
  /** The items are in the store. */
  onStored(items: readonly Item[]): void;
  /** The store refuses the rows of this item. */
  onPoison(item: Item, error: MillraceError): void;
}

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
/**
 * A single message that is too large for the store is tried this often, which takes about a minute: other work may have taken the
 * memory meanwhile.
 */
const TOO_LARGE_ATTEMPTS = 12;
/** A message with fewer bytes of rows is too large for no store: one that lacks memory for it lacks it for everything, and will have it again. */
const LARGE_BYTES = 1024 * 1024;

/**
 * Inserts items and reports each one exactly once as stored or poison. Repeats the identical blocks with the identical token
 * while the store is in trouble; halves the batch when it is too large, or when some row of it is refused, until the item to
 * blame is alone. Trouble that trying again does not mend by itself (a table that is not there, a password that is wrong) waits the
 * longest time at once: somebody has to see to it, and the rows are not to blame. Throws `cancelled` when the signal ends the
 * waiting: items not reported then are not stored.
 */
export async function insertItems(items: readonly Item[], context: InsertContext): Promise<void> {
  const blocks = joinBlocks(items);
  for (let attempt = 1; ; attempt += 1) {
    try {
      for (const { table, rows, token } of blocks) await context.store.insert(table, rows, token);
      context.onStored(items);
      return;
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      const tooLarge = error.code === 'resource_exhausted';
      const refused = error.code === 'invalid_argument';
      if (items.length > 1 && (refused || tooLarge)) break;
      const [alone] = items as [Item];
      if (refused || (tooLarge && alone.bytes >= LARGE_BYTES && attempt >= TOO_LARGE_ATTEMPTS)) {
        context.onPoison(alone, error);
        return;
      }
      const growing = error.retryable ? FIRST_DELAY_MS * 2 ** (attempt - 1) : Infinity;
      const delayMs = Math.min(LONGEST_DELAY_MS, growing) * (0.5 + context.uniform() / 2);
      context.onRetry(error, attempt, delayMs);
      await context.clock.sleep(delayMs, context.signal);
    }
  }
  const middle = items.length >> 1;
  await insertItems(items.slice(0, middle), context);
  await insertItems(items.slice(middle), context);
}

/**
 * One block a table, the items in the order of their ids, so that the same items make the same block. The token covers ids and
 * bytes: a request that was run twice has one id and two contents, and the second must not be dropped as a repetition.
 */
function joinBlocks(items: readonly Item[]): { table: TableName; rows: Uint8Array; token: string }[] {
  const sorted = [...items].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  return TABLE_NAMES.flatMap((table) => {
    const hash = createHash('sha256').update(table);
    const parts: Uint8Array[] = [];
    for (const { id, blocks } of sorted) {
      const block = blocks[table];
      if (block === undefined || block.length === 0) continue;
      hash.update(`\n${id}\n`).update(block);
      parts.push(block);
    }
    return parts.length === 0 ? [] : [{ table, rows: joinRows(parts), token: hash.digest('hex') }];
  });
}
