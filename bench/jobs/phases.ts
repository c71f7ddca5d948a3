import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { TestCluster } from '../../test/support/cluster.ts';
import type { ClusterJobs } from './cluster-jobs.ts';
import { sharesOf, type Shares } from './shares.ts';

/** A job gets at least half of its fair share in any minute: docs/performance.md. */
const WINDOW_SECONDS = 60;
const SLICE_SECONDS = 2;
/** What the writer holds of a job that has ended is in the store after this long. */
const WRITTEN_MS = 8_000;
/** A process has given back what it can some seconds after its work. */
const SETTLED_MS = 10_000;

/** A number of jobs that were created at once and ran to their end. */
export interface BatchResult extends Shares {
  jobs: number;
  succeeded: number;
  errors: string[];
  /** From the first creation to the last end. */
  seconds: number;
  /** Jobs created a second. */
  createdPerSecond: number;
  /** Processor milliseconds of all processes for each trajectory. */
  cpuMsPerTrajectory: number;
  /** Processor seconds by process. */
  cpuSeconds: Record<string, number>;
  /** Messages that JetStream stored, for each job. */
  messagesPerJob: number;
}

/** `count` jobs at once, to their end. */
export async function runBatch(jobs: ClusterJobs, prefix: string, count: number, rounds: number): Promise<BatchResult> {
  const before = jobs.readings();
  const stored = await jobs.stored();
  const begun = performance.now();
  const config = thermostatJob([`rounds=${rounds}`, 'evaluation.every=0', 'evaluation.baselines=false']);
  const createdPerSecond = await jobs.create(prefix, count, config);
  const ended = await jobs.ended(prefix, count);
  const seconds = (performance.now() - begun) / 1000;
  const messagesPerJob = ((await jobs.stored()) - stored) / count;
  const after = jobs.readings();
  await sleep(WRITTEN_MS);
  const slices = await jobs.slices(prefix, SLICE_SECONDS);
  const trajectories = slices.reduce((sum, slice) => sum + slice.trajectories, 0);
  const used = [...after].map(([id, { cpuSeconds }]) => [id, cpuSeconds - (before.get(id)?.cpuSeconds ?? 0)] as const);
  return {
    jobs: count,
    ...ended,
    seconds,
    createdPerSecond,
    ...sharesOf(slices, { sliceSeconds: SLICE_SECONDS, windowSeconds: WINDOW_SECONDS }),
    cpuMsPerTrajectory: (1000 * used.reduce((sum, [, cpu]) => sum + cpu, 0)) / trajectories,
    cpuSeconds: Object.fromEntries(used.map(([id, cpu]) => [id, Math.round(10 * cpu) / 10])),
    messagesPerJob,
  };
}

/** Jobs that run while others wait for a place. */
export interface QueueResult extends Shares {
  running: number;
  queued: number;
  createdPerSecond: number;
  /** Jobs that had been taken over after the coordinator was killed, and seconds until the last of them was. */
  takenOver: number;
  takenOverSeconds: number;
}

/** `running` jobs with a place and `queued` more without one, for a while; the coordinator is killed; then all are cancelled. */
export async function runWithQueue(
  jobs: ClusterJobs,
  cluster: TestCluster,
  { running, queued, forSeconds }: { running: number; queued: number; forSeconds: number },
): Promise<QueueResult> {
  const config = thermostatJob(['rounds=1000', 'evaluation.every=0', 'evaluation.baselines=false']);
  await jobs.create('placed', running, config);
  await jobs.until('placed', (all) => all.every(({ state }) => state === JobState.RUNNING));
  const createdPerSecond = await jobs.create('queued', queued, config, -1);
  await sleep(1000 * forSeconds);
  const killedAt = Date.now();
  cluster.kill('coordinator');
  await sleep(15_000);
  await jobs.until('placed', (all) => all.filter(({ state }) => state === JobState.RUNNING).length >= running);
  await sleep(WRITTEN_MS);
  const takenOver = await jobs.takenOver('placed', killedAt);
  await jobs.cancel('queued');
  await jobs.cancel('placed');
  await sleep(WRITTEN_MS);
  const slices = (await jobs.slices('placed', SLICE_SECONDS)).filter(({ slice }) => slice * SLICE_SECONDS * 1000 < killedAt);
  const shares = sharesOf(slices, { sliceSeconds: SLICE_SECONDS, windowSeconds: WINDOW_SECONDS });
  return { running, queued, createdPerSecond, ...shares, takenOver: takenOver.jobs, takenOverSeconds: takenOver.seconds };
}

/** What two times as many jobs leave behind. */
export interface MemoryResult {
  jobs: number;
  /** Resident bytes of each process after the first `jobs` had ended, and after as many more. */
  before: Record<string, number>;
  after: Record<string, number>;
  /** The largest growth of a process, as a part of what it had. */
  growth: number;
}

/** `count` small jobs to their end, as many more, and what the second ones added to each process. */
export async function runForMemory(jobs: ClusterJobs, count: number): Promise<MemoryResult> {
  const small = [
    'rounds=1',
    'rollout.groupsPerRound=2',
    'rollout.groupSize=4',
    'evaluation.every=0',
    'evaluation.baselines=false',
  ];
  const config = thermostatJob(small);
  const rssAfter = async (prefix: string): Promise<Record<string, number>> => {
    await jobs.create(prefix, count, config);
    await jobs.ended(prefix, count);
    await sleep(SETTLED_MS);
    return Object.fromEntries([...jobs.readings()].map(([id, { rssBytes }]) => [id, rssBytes]));
  };
  const before = await rssAfter('first');
  const after = await rssAfter('second');
  const growth = Math.max(...Object.entries(after).map(([id, rss]) => rss / (before[id] ?? rss) - 1));
  return { jobs: count, before, after, growth };
}
