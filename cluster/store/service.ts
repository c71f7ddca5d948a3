import { create } from '@bufbuild/protobuf';
import { ExportTrajectoriesRequestSchema } from '../../src/gen/millrace/v1/admin_pb.ts';
import { StoreService } from '../../src/gen/millrace/v1/store_pb.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { defineService, type ServiceRegistration } from '../../src/rpc/handlers.ts';
import type { ClickHouseStore } from '../../src/store/clickhouse-store.ts';
import type { TrajectoryTransfer } from '../admin/export.ts';
import { queryMessages } from '../admin/query-rows.ts';
import { pruneMessage, statsMessage } from '../admin/store-care.ts';
import type { RunQuery } from '../admin/backend.ts';

/** The store's own part of {@link StoreCare}. */
export type LocalCare = Pick<ClickHouseStore, 'stats' | 'prune'>;

/** Options of {@link storeService}. */
export interface StoreServiceOptions {
  clock: Clock;
  /** Default: the store does not report its size. */
  care?: LocalCare;
}

/** The gRPC face of the store node. */
export function storeService(
  query: RunQuery,
  transfer: TrajectoryTransfer,
  { clock, care }: StoreServiceOptions,
): ServiceRegistration {
  const cared = (): LocalCare => {
    if (care) return care;
    throw new MillraceError('unimplemented', 'this store does not report its disk usage');
  };
  return defineService(StoreService, {
    runQuery: async function* ({ sql, maxRows }, { signal }) {
      yield* queryMessages(await query(sql, maxRows === 0 ? 10_000 : maxRows, signal));
    },
    readTrajectories: async function* ({ request }, { signal }) {
      const asked = request ?? create(ExportTrajectoriesRequestSchema);
      for await (const response of transfer.exportTrajectories(asked, signal)) yield { response };
    },
    writeTrajectories: async ({ request }, { signal }) => ({
      response: await transfer.importTrajectories(request ?? { lines: [], job: '' }, signal),
    }),
    readStats: async () => ({ response: statsMessage(await cared().stats()) }),
    prune: async ({ request, runningJobs }) => {
      const before = clock.now() - Number(request?.olderThan?.seconds ?? 0n) * 1000;
      const job = request?.jobId || undefined;
      return {
        response: pruneMessage(await cared().prune({ before, job, running: runningJobs, dryRun: request?.dryRun ?? false })),
      };
    },
  });
}
