import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobConfig } from '../../src/config/job.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { TestCluster } from '../../test/support/cluster.ts';
import { collectQuery } from '../../cluster/admin/query-rows.ts';
import { openJetStream } from '../../src/bus/nats/connection.ts';
import { loginOf } from '../../cluster/node/connect.ts';
import { readProcess } from '../load/processes.ts';
import type { Slice } from './shares.ts';

/** Jobs on their way to the API at once. */
const AT_ONCE = 16;
const POLL_MS = 1_000;
const PATIENCE = { timeoutMs: 60_000 };

const isOver = ({ state }: Job): boolean => state >= JobState.SUCCEEDED;

/** Jobs of a cluster under test, by a prefix of their ids. */
export class ClusterJobs {
  readonly #cluster: TestCluster;
  readonly #signal: AbortSignal;
  readonly #say: (text: string) => void;

  constructor(cluster: TestCluster, { signal, say }: { signal: AbortSignal; say: (text: string) => void }) {
    this.#cluster = cluster;
    this.#signal = signal;
    this.#say = say;
  }

  /** Creates jobs `<prefix>-1` to `<prefix>-<count>` as fast as the API takes them. Returns how many a second. */
  async create(prefix: string, count: number, config: JobConfig, priority = 0): Promise<number> {
    const configJson = JSON.stringify(config);
    const begun = performance.now();
    let made = 0;
    const create = async (): Promise<void> => {
      while (made < count) {
        made += 1;
        this.#signal.throwIfAborted();
        this.#say(`${prefix}: ${made} of ${count} created`);
        await this.#cluster.admin.createJob({ jobId: `${prefix}-${made}`, configJson, priority }, PATIENCE);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, create));
    return (1000 * count) / (performance.now() - begun);
  }

  /** The jobs with this prefix. Undefined when the API did not answer: its coordinator may have been killed. */
  async list(prefix: string): Promise<Job[] | undefined> {
    const found: Job[] = [];
    try {
      for (let pageToken = ''; ;) {
        const page = await this.#cluster.admin.listJobs({ pageSize: 1000, pageToken }, PATIENCE);
        found.push(...page.jobs.filter(({ id }) => id.startsWith(`${prefix}-`)));
        pageToken = page.nextPageToken;
        if (pageToken === '') return found;
      }
    } catch {
      return undefined;
    }
  }

  /** Waits until `done` holds for the jobs with this prefix, and returns them. */
  async until(prefix: string, done: (jobs: readonly Job[]) => boolean): Promise<Job[]> {
    for (;;) {
      this.#signal.throwIfAborted();
      const jobs = await this.list(prefix);
      if (jobs !== undefined && done(jobs)) return jobs;
      if (jobs !== undefined) {
        const count = (state: JobState): number => jobs.filter((job) => job.state === state).length;
        const waiting = `${count(JobState.QUEUED)} queued, ${count(JobState.RUNNING)} running`;
        this.#say(`${prefix}: ${jobs.filter(isOver).length} of ${jobs.length} ended, ${waiting}`);
      }
      await sleep(POLL_MS, undefined, { signal: this.#signal });
    }
  }

  /** Waits for the end of the jobs with this prefix. Returns how many succeeded, and why others failed. */
  async ended(prefix: string, count: number): Promise<{ succeeded: number; errors: string[] }> {
    const jobs = await this.until(prefix, (all) => all.length === count && all.every(isOver));
    const errors = [...new Set(jobs.map(({ error }) => error).filter((error) => error !== ''))];
    return { succeeded: jobs.filter(({ state }) => state === JobState.SUCCEEDED).length, errors };
  }

  /** Cancels the jobs with this prefix and waits for their end. */
  async cancel(prefix: string): Promise<void> {
    const open = (await this.until(prefix, () => true)).filter((job) => !isOver(job)).map(({ id }) => id);
    const cancel = async (): Promise<void> => {
      for (let jobId = open.pop(); jobId !== undefined; jobId = open.pop()) {
        await this.#cluster.admin.cancelJob({ jobId }, PATIENCE).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, cancel));
    await this.until(prefix, (jobs) => jobs.every(isOver));
  }

  /** When the groups of the jobs with this prefix ended, as far as they are in the store. */
  async slices(prefix: string, sliceSeconds: number): Promise<Slice[]> {
    const sql =
      `SELECT job, intDiv(toUnixTimestamp(ended_at), ${sliceSeconds}) AS slice, uniqExact(request_id), count() FROM trajectories ` +
      `WHERE startsWith(job, '${prefix}-') GROUP BY job, slice ORDER BY slice, job`;
    const { rows } = await collectQuery(this.#cluster.admin.query({ sql, maxRows: 100_000 }, PATIENCE));
    return rows.map(([job, slice, groups, count]) => ({
      job: String(job),
      slice: Number(slice),
      groups: Number(groups),
      trajectories: Number(count),
    }));
  }

  /** Seconds from `since` (Unix ms) until the last of the jobs with this prefix was taken over by another coordinator, and how many were. */
  async takenOver(prefix: string, since: number): Promise<{ jobs: number; seconds: number }> {
    const [row] = await this.#cluster.rows(
      `SELECT uniqExact(job), max(toUnixTimestamp64Milli(at)) FROM job_events ` +
        `WHERE startsWith(job, '${prefix}-') AND kind = 'taken-over' AND toUnixTimestamp64Milli(at) >= ${Math.round(since)}`,
    );
    return { jobs: Number(row?.[0] ?? 0), seconds: (Number(row?.[1] ?? since) - since) / 1000 };
  }

  /** Messages that all streams and buckets have stored so far. */
  async stored(): Promise<number> {
    const login = this.#cluster.natsAdmin && loginOf(this.#cluster.natsAdmin);
    const link = await openJetStream({ servers: this.#cluster.natsUrl, name: 'bench', ...login });
    let stored = 0;
    for await (const { state } of link.jsm.streams.list()) stored += state.last_seq;
    await link.nc.close();
    return stored;
  }

  /** Resident bytes and processor seconds of each process. */
  readings(): Map<string, { rssBytes: number; cpuSeconds: number }> {
    const processes = [...this.#cluster.nodes(), { id: 'nats-server', pid: this.#cluster.nats()?.pid }];
    return new Map(
      processes.flatMap(({ id, pid }) => {
        const reading = pid === undefined ? undefined : readProcess(pid);
        return reading === undefined ? [] : [[id, reading] as const];
      }),
    );
  }
}
