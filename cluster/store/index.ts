import type { QueryResult, Store } from '../../src/store/store.ts';
import type { WriterReport } from '../../src/protocol/progress.ts';
import { ensureWriterDurables } from '../../src/protocol/writer-durables.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { encodeProgress } from '../../src/protocol/progress.ts';
import { WRITER_SUBJECT } from '../../src/protocol/subjects.ts';
import { Writer } from './writer.ts';

/** The store role, with the way to ask it. */
export interface StoreRole extends Role {
  query(sql: string, maxRows: number, signal?: AbortSignal): Promise<QueryResult>;
}

/**
 * The store node owns the connection to ClickHouse (the embedded engine allows one process only): it applies migrations,
 * writes everything that was scored or happened, and answers queries. A batch is acknowledged only after its insert.
 */
export async function startStore(context: NodeContext, store: Store): Promise<StoreRole> {
  const applied = await store.migrate();
  if (applied.length > 0) context.log.info({ applied }, 'migrations applied');
  await ensureWriterDurables(context.bus);
  const writer = await new Writer(context, store).start();
  const { metrics } = context;
  metrics.onScrape(() => {
    const { rows, batches, retries, poisoned, heldRows, heldBytes } = writer.stats();
    metrics.total('store_rows_total', {}, rows);
    metrics.total('store_batches_total', {}, batches);
    metrics.total('store_retries_total', {}, retries);
    metrics.total('store_refused_total', {}, poisoned);
    metrics.set('store_held_rows', {}, heldRows);
    metrics.set('store_held_bytes', {}, heldBytes);
  });
  const stopTelling = tellProgress(context, writer);

  return {
    name: 'store',
    query: (sql, maxRows, signal) => store.query(sql, { maxRows, ...(signal && { signal }) }),
    async stop() {
      stopTelling();
      await writer.stop();
      await store.close();
    },
  };
}

const TELL_MS = 1_000;
/** What "lately" means in the rate of written rows. */
const RATE_SAMPLES = 10;

/** Tells the coordinators once a second how the writer does: they say so while a job waits for the store. */
function tellProgress({ bus, clock }: NodeContext, writer: Writer): () => void {
  const samples: { at: number; rows: number }[] = [];
  return clock.every(TELL_MS, () => {
    const { rows, messages, waitingFor } = writer.stats();
    const now = { at: clock.monotonic(), rows };
    const first = samples[0] ?? now;
    samples.push(now);
    if (samples.length > RATE_SAMPLES) samples.shift();
    const seconds = (now.at - first.at) / 1000;
    const report: WriterReport = {
      rowsPerSecond: seconds > 0 ? (rows - first.rows) / seconds : 0,
      rowsPerMessage: messages > 0 ? rows / messages : 0,
      waitingFor,
    };
    bus.emit(WRITER_SUBJECT, encodeProgress(report));
  });
}
