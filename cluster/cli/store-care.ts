import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  GetStoreStatsResponseSchema,
  PruneStoreResponseSchema,
  type GetStoreStatsResponse,
  type PruneStoreResponse,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { pruneMessage, statsMessage } from '../admin/store-care.ts';
import type { CliContext } from './context.ts';
import { storeIsAtRest } from './run-query.ts';

/** What `millrace store prune` was asked to do. */
export interface PruneOrder {
  olderThanSeconds: number;
  /** Empty: every job. */
  job: string;
  dryRun: boolean;
}

/** Sizes and ages, of the cluster's store or of the embedded one that the last cluster left. */
export async function storeStats(context: CliContext): Promise<GetStoreStatsResponse> {
  if (!storeIsAtRest(context)) return context.withAdmin((admin) => admin.getStoreStats({}));
  return atRest(context, async (store) => create(GetStoreStatsResponseSchema, statsMessage(await store.stats())));
}

/** Deletes old rows there. */
export async function pruneStore(context: CliContext, order: PruneOrder): Promise<PruneStoreResponse> {
  const { olderThanSeconds, job, dryRun } = order;
  if (!storeIsAtRest(context)) {
    const olderThan = { seconds: BigInt(olderThanSeconds) };
    return context.withAdmin((admin) => admin.pruneStore({ olderThan, jobId: job, dryRun }, { timeoutMs: 60_000 }));
  }
  const before = Date.now() - olderThanSeconds * 1000;
  return atRest(context, async (store) =>
    create(PruneStoreResponseSchema, pruneMessage(await store.prune({ before, dryRun, ...(job !== '' && { job }) }))),
  );
}

async function atRest<T>(
  context: CliContext,
  use: (store: Awaited<ReturnType<typeof import('../../src/store/embedded.ts').openEmbeddedStore>>) => Promise<T>,
): Promise<T> {
  const path = join(context.stateDir, 'clickhouse');
  context.note(`no cluster is running; using the store in ${path}`);
  const { openEmbeddedStore } = await import('../../src/store/embedded.ts');
  const store = await openEmbeddedStore({ path });
  try {
    await store.migrate();
    return await use(store);
  } finally {
    await store.close();
  }
}
