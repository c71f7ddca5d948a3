import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { MillraceError } from '../../src/errors.ts';
import type {
  GetStoreStatsResponseSchema,
  PruneStoreRequest,
  PruneStoreResponseSchema,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import type { PrunedJob, StoreStats } from '../../src/store/maintenance.ts';
import { checkJobId } from './validation.ts';

/** A response to AdminService.GetStoreStats. */
export type StatsMessage = MessageInitShape<typeof GetStoreStatsResponseSchema>;
/** A response to AdminService.PruneStore. */
export type PruneMessage = MessageInitShape<typeof PruneStoreResponseSchema>;

/** The part of the admin API that looks after the store's size. */
export interface StoreCare {
  /** See AdminService.GetStoreStats. */
  getStoreStats(): Promise<StatsMessage>;
  /** See AdminService.PruneStore; rows of `running` jobs stay. */
  pruneStore(request: PruneStoreRequest, running: readonly string[]): Promise<PruneMessage>;
}

/** Checks what a caller asks to be deleted. */
export function checkPrune(request: PruneStoreRequest): PruneStoreRequest {
  if (request.jobId !== '') checkJobId(request.jobId);
  if (!request.olderThan || request.olderThan.seconds < 1n)
    throw new MillraceError('invalid_argument', 'is missing; say how old rows must be to go, at least one second.', {
      field: 'older_than',
    });
  return request;
}

export function statsMessage({ tables, jobs, detached }: StoreStats): StatsMessage {
  const times = ({ oldest, newest }: { oldest: number; newest: number }): object =>
    newest === 0 ? {} : { oldestTime: timestampFromMs(oldest), newestTime: timestampFromMs(newest) };
  return {
    tables: tables.map((table) => ({
      name: table.table,
      rows: BigInt(table.rows),
      diskBytes: BigInt(table.diskBytes),
      compressedBytes: BigInt(table.compressedBytes),
      rawBytes: BigInt(table.rawBytes),
      parts: table.parts,
      ...times(table),
    })),
    jobs: jobs.map((job) => ({
      id: job.job,
      trajectories: BigInt(job.trajectories),
      steps: BigInt(job.steps),
      diskBytes: BigInt(job.diskBytes),
      bytesPerStep: job.bytesPerStep,
      ended: job.ended,
      ...times(job),
    })),
    detached: detached.map(({ table, part, job, rows, diskBytes, reason, path }) => ({
      table,
      part,
      jobId: job,
      ...(rows !== undefined && { rows: BigInt(rows) }),
      diskBytes: BigInt(diskBytes),
      reason,
      path,
    })),
  };
}

export function pruneMessage(jobs: readonly PrunedJob[]): PruneMessage {
  return {
    jobs: jobs.map(({ job, trajectories, steps, bytes, whole }) => ({
      id: job,
      trajectories: BigInt(trajectories),
      steps: BigInt(steps),
      bytes: BigInt(bytes),
      whole,
    })),
  };
}
