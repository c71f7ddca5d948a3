import { toJson, type JsonValue } from '@bufbuild/protobuf';
import {
  GetStoreStatsResponseSchema,
  PruneStoreResponseSchema,
  type DetachedPart,
  type GetStoreStatsResponse,
  type PruneStoreResponse,
} from '../../src/gen/millrace/v1/admin_pb.ts';
import { byteSize, timestamp } from './format.ts';
import { table } from './table.ts';

export const statsJson = (stats: GetStoreStatsResponse): JsonValue =>
  toJson(GetStoreStatsResponseSchema, stats, { alwaysEmitImplicit: true });

export const pruneJson = (pruned: PruneStoreResponse): JsonValue =>
  toJson(PruneStoreResponseSchema, pruned, { alwaysEmitImplicit: true });

/** Two tables, by table of the store and by job, and a third one of what is missing. */
export function statsText({ tables, jobs, detached }: GetStoreStatsResponse): string {
  const byTable = table(
    ['table', 'rows', 'on disk', 'by row', 'ratio', 'parts', 'oldest', 'newest'],
    tables.map(({ name, rows, diskBytes, rawBytes, compressedBytes, parts, oldestTime, newestTime }) => [
      name,
      String(rows),
      byteSize(diskBytes),
      rows === 0n ? '' : `${(Number(diskBytes) / Number(rows)).toFixed(1)} B`,
      compressedBytes === 0n ? '' : (Number(rawBytes) / Number(compressedBytes)).toFixed(1),
      String(parts),
      timestamp(oldestTime),
      timestamp(newestTime),
    ]),
    { right: [1, 2, 3, 4, 5] },
  );
  const missing = detached.length === 0 ? '' : `\n${missingText(detached)}`;
  if (jobs.length === 0) return byTable + missing;
  const byJob = table(
    ['job', 'trajectories', 'steps', 'on disk', 'by step', 'ended', 'oldest', 'newest'],
    jobs.map(({ id, trajectories, steps, diskBytes, bytesPerStep, ended, oldestTime, newestTime }) => [
      id,
      String(trajectories),
      String(steps),
      byteSize(diskBytes),
      steps === 0n ? '' : `${bytesPerStep.toFixed(1)} B`,
      ended ? 'yes' : 'no',
      timestamp(oldestTime),
      timestamp(newestTime),
    ]),
    { right: [1, 2, 3, 4] },
  );
  return `${byTable}\n${byJob}${missing}`;
}

/** What ClickHouse has set aside. */
function missingText(detached: readonly DetachedPart[]): string {
  const rows = detached.map(({ table: name, part, jobId, rows: count, diskBytes, reason }) => [
    name,
    jobId,
    count === undefined ? 'unknown' : String(count),
    byteSize(diskBytes),
    reason,
    part,
  ]);
  return `MISSING: these parts were set aside, and their rows are in no answer\n${table(['table', 'job', 'rows', 'on disk', 'reason', 'part'], rows, { right: [2, 3] })}`;
}

/** What went, or would go. */
export function pruneText({ jobs }: PruneStoreResponse, dryRun: boolean): string {
  if (jobs.length === 0) return 'nothing to prune\n';
  const rows = jobs.map(({ id, trajectories, steps, bytes: size, whole }) => [
    id,
    String(trajectories),
    String(steps),
    byteSize(size),
    whole ? 'everything' : 'older rows',
  ]);
  const total = jobs.reduce((sum, job) => sum + job.bytes, 0n);
  const verb = dryRun ? 'would be deleted' : 'deleted';
  return `${table(['job', 'trajectories', 'steps', 'about', 'what'], rows, { right: [1, 2, 3] })}\n${byteSize(total)} ${verb}${dryRun ? '; leave out --dry-run to do it' : ''}\n`;
}
