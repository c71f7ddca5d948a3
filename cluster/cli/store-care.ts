import { create } from '@bufbuild/protobuf';
import {
  GetStoreStatsResponseSchema,
  PruneStoreResponseSchema,
  type GetStoreStatsResponse,
  type PruneStoreResponse,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { pruneMessage, statsMessage } from '../admin/store-care.ts';
import type { CliContext } from './context.ts';
import { storeIsAtRest, withStoreAtRest } from './store-at-rest.ts';

/** What `millrace store prune` was asked to do. */
export interface PruneFlags {
  olderThanSeconds: number;
  /** Empty: every job. */
  job: string;
  dryRun: boolean;
}

/** Sizes and ages, of the cluster's store or of the one that the last cluster left. */
export async function readStoreStats(context: CliContext): Promise<GetStoreStatsResponse> {
  if (!storeIsAtRest(context)) return context.withAdmin((admin) => admin.getStoreStats({}));
  return withStoreAtRest(context, async (store) => create(GetStoreStatsResponseSchema, statsMessage(await store.stats())));
}

/** Deletes old rows there. */
export async function requestPrune(context: CliContext, order: PruneFlags): Promise<PruneStoreResponse> {
  const { olderThanSeconds, job, dryRun } = order;
  if (!storeIsAtRest(context)) {
    const olderThan = { seconds: BigInt(olderThanSeconds) };
    return context.withAdmin((admin) => admin.pruneStore({ olderThan, jobId: job, dryRun }, { timeoutMs: 60_000 }));
  }
  const before = Date.now() - olderThanSeconds * 1000;
  return withStoreAtRest(context, async (store) =>
    create(PruneStoreResponseSchema, pruneMessage(await store.prune({ before, dryRun, ...(job !== '' && { job }) }))),
  );
}
