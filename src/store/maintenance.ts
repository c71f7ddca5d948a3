import { MillraceError } from '../errors.ts';
import { detachedParts, type DetachedPart } from './detached.ts';
import { literal } from './engine.ts';
import type { Run } from './migrate.ts';
import { printedRows } from './printed-rows.ts';
import { TABLE_NAMES } from '../records/tables.ts';

/** What one table holds, or one job of it. Rows that came again and were not merged yet count as often as they lie on disk. */
export interface TableStats {
  table: string;
  rows: number;
  /** Everything that belongs to it on disk. */
  diskBytes: number;
  /** Of its columns, and what they are without compression. */
  compressedBytes: number;
  rawBytes: number;
  parts: number;
  /** When the oldest and the newest row came, in milliseconds of Unix time; 0 when there is none. */
  oldest: number;
  newest: number;
}

/** What the store holds of one job. */
export interface JobStats {
  job: string;
  trajectories: number;
  steps: number;
  /** Of tables `steps` and `trajectories`. */
  diskBytes: number;
  /** Of table `steps`, by row. */
  bytesPerStep: number;
  oldest: number;
  newest: number;
  /** Its newest event is an end, or it has none (imported, made). */
  ended: boolean;
}

/** See {@link storeStats}. */
export interface StoreStats {
  tables: TableStats[];
  /** Newest first. */
  jobs: JobStats[];
  /** What the engine has set aside. */
  detached: DetachedPart[];
}

/** What to prune. */
export interface PruneOptions {
  /** Rows that came before this time go, in milliseconds of Unix time. */
  before: number;
  /** Only of this job. */
  job?: string | undefined;
  /** Jobs whose rows stay, whatever the store knows of them. */
  running?: readonly string[];
  /** Says what would go and leaves it. */
  dryRun?: boolean;
}

/** What went, or would go, of one job. */
export interface PrunedJob {
  job: string;
  trajectories: number;
  steps: number;
  /** About: by the size of the job's rows. */
  bytes: number;
  /** The job is gone altogether, with its rounds, evaluations and events. */
  whole: boolean;
}

const PARTITIONED = ['steps', 'trajectories'] as const;
const ENDS = `('succeeded', 'failed', 'cancelled')`;

/** Sizes and ages by table and by job. Reads the engine's system tables and the times of arrival, not the rows. */
export async function storeStats(run: Run): Promise<StoreStats> {
  const parts = await printedRows(
    run,
    `SELECT table, sum(rows), sum(bytes_on_disk), sum(data_compressed_bytes), sum(data_uncompressed_bytes), count()
     FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table`,
  );
  const tables: TableStats[] = [];
  for (const name of TABLE_NAMES) {
    const [, rows = 0, diskBytes = 0, compressedBytes = 0, rawBytes = 0, count = 0] =
      parts.find(([of]) => of === name)?.map(Number) ?? [];
    const [age] = rows > 0 ? await printedRows(run, `SELECT ${AGES} FROM ${name}`) : [];
    const [oldest = 0, newest = 0] = age?.map(Number) ?? [];
    tables.push({ table: name, rows, diskBytes, compressedBytes, rawBytes, parts: count, oldest, newest });
  }
  return { tables, jobs: await jobStats(run), detached: await detachedParts(run) };
}

/**
 * Deletes rows of ended jobs that came before a time. Of a job that is older altogether everything goes, by dropping its
 * partitions: the space is free at once. Of others the older steps and trajectories are deleted, and the space comes back when
 * parts are merged. Jobs that have not ended are left alone.
 *
 * @throws MillraceError failed_precondition when `job` has not ended; not_found when the store has nothing of it.
 */
export async function pruneStore(run: Run, options: PruneOptions): Promise<PrunedJob[]> {
  const { before, job, running = [], dryRun = false } = options;
  const known = await jobStats(run);
  const isOpen = ({ job: id, ended }: JobStats): boolean => !ended || running.includes(id);
  if (job !== undefined) {
    const named = known.find(({ job: id }) => id === job);
    if (!named) throw new MillraceError('not_found', `The store has no rows of job "${job}".`, { field: 'job' });
    if (isOpen(named))
      throw new MillraceError('failed_precondition', `Job "${job}" has not ended; cancel it, or prune other jobs.`, {
        field: 'job',
      });
  }
  const pruned: PrunedJob[] = [];
  for (const one of known) {
    if ((job !== undefined && one.job !== job) || isOpen(one) || one.oldest >= before) continue;
    const whole = one.newest < before;
    const { trajectories, steps } = whole ? one : await olderRows(run, one.job, before);
    if (!whole && trajectories + steps === 0) continue;
    const share = (trajectories + steps) / Math.max(1, one.trajectories + one.steps);
    pruned.push({ job: one.job, trajectories, steps, bytes: Math.round(one.diskBytes * share), whole });
    if (dryRun) continue;
    if (whole) await dropJob(run, one.job);
    else for (const name of PARTITIONED) await run(`DELETE FROM ${name} WHERE ${olderThan(one.job, before)}`);
  }
  return pruned;
}

/** Rounds, evaluations and events go last: until then a prune that was interrupted can be repeated. */
async function dropJob(run: Run, job: string): Promise<void> {
  for (const name of PARTITIONED) await run(`ALTER TABLE ${name} DROP PARTITION ${literal(job)}`);
  for (const name of TABLE_NAMES.filter((of) => !(PARTITIONED as readonly string[]).includes(of)))
    await run(`DELETE FROM ${name} WHERE job = ${literal(job)}`);
}

async function olderRows(run: Run, job: string, before: number): Promise<{ trajectories: number; steps: number }> {
  const count = async (name: string): Promise<number> =>
    Number((await printedRows(run, `SELECT count() FROM ${name} WHERE ${olderThan(job, before)}`))[0]?.[0] ?? 0);
  return { trajectories: await count('trajectories'), steps: await count('steps') };
}

async function jobStats(run: Run): Promise<JobStats[]> {
  // What is in partitions is known without reading rows; only times of arrival are read.
  const rows = await printedRows(
    run,
    `SELECT job, sum(trajectories), sum(steps), sum(disk), sum(step_disk), sum(oldest), sum(newest), sum(open)
     FROM
     (
         SELECT partition AS job, sumIf(rows, table = 'trajectories') AS trajectories, sumIf(rows, table = 'steps') AS steps,
             sum(bytes_on_disk) AS disk, sumIf(bytes_on_disk, table = 'steps') AS step_disk, 0 AS oldest, 0 AS newest, 0 AS open
         FROM system.parts
         WHERE active AND database = currentDatabase() AND table IN ('steps', 'trajectories')
         GROUP BY job
         UNION ALL
         SELECT job, 0, 0, 0, 0, toUnixTimestamp64Milli(min(first)), toUnixTimestamp64Milli(max(last)), 0
         FROM
         (
             SELECT toString(job) AS job, min(ingested_at) AS first, max(ingested_at) AS last FROM trajectories GROUP BY job
             UNION ALL
             SELECT toString(job) AS job, min(ingested_at) AS first, max(ingested_at) AS last FROM steps GROUP BY job
             UNION ALL
             SELECT toString(job) AS job, min(ingested_at) AS first, max(ingested_at) AS last FROM job_events GROUP BY job
         )
         GROUP BY job
         UNION ALL
         SELECT toString(job) AS job, 0, 0, 0, 0, 0, 0, countIf(kind IN ${ENDS}) = 0 FROM job_events GROUP BY job
     )
     GROUP BY job
     ORDER BY sum(newest) DESC, job`,
  );
  return rows.map(([job, ...numbers]) => {
    const [trajectories, steps, diskBytes, stepBytes, oldest, newest, open] = numbers.map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const bytesPerStep = steps === 0 ? 0 : stepBytes / steps;
    return { job: job!, trajectories, steps, diskBytes, bytesPerStep, oldest, newest, ended: open === 0 };
  });
}

const AGES = 'toUnixTimestamp64Milli(min(ingested_at)), toUnixTimestamp64Milli(max(ingested_at))';

const olderThan = (job: string, before: number): string =>
  `job = ${literal(job)} AND ingested_at < fromUnixTimestamp64Milli(toInt64(${Math.round(before)}), 'UTC')`;
