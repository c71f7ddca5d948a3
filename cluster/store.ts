import type { QueryResult, Store } from '../src/store/store.ts';
import { ensureWriterDurables, startWriter } from '../src/store/writer.ts';
import type { NodeContext, Role } from './context.ts';

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
  const writer = await startWriter({ bus: context.bus, store, clock: context.clock, log: context.log });
  const { metrics } = context;
  metrics.onScrape(() => {
    const { rows, batches, retries, poisoned, heldRows } = writer.stats();
    metrics.total('store_rows_total', {}, rows);
    metrics.total('store_batches_total', {}, batches);
    metrics.total('store_retries_total', {}, retries);
    metrics.total('store_refused_total', {}, poisoned);
    metrics.set('store_held_rows', {}, heldRows);
  });
  const actor = context.actors.spawn('store', 'writer', { receive: () => {} });

  return {
    name: 'store',
    query: (sql, maxRows, signal) => store.query(sql, { maxRows, ...(signal && { signal }) }),
    async stop() {
      await writer.stop();
      await actor.stop();
      await store.close();
    },
  };
}
