import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { loadJobConfig } from '../src/config/load.ts';
import type { JobConfig } from '../src/config/job.ts';
import { RetryLater } from '../src/flow/retry-later.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { accounting } from '../src/jobs/ledger.ts';
import type { Service } from './flows/outage.ts';
import { startTestCluster } from './support/cluster.ts';
import { faultyJob } from './support/faulty.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

function outageJob(overrides: readonly string[] = []): JobConfig {
  return loadJobConfig(fileURLToPath(new URL('flows/outage.yaml', import.meta.url)), { overrides }).config;
}

const world = globalThis as { millraceTestService?: Service | undefined };
afterEach(() => (world.millraceTestService = undefined));

interface Run {
  result: SerialResult;
  /** What the job waited for, each once. */
  waits: string[];
  /** Codes of notices that lasted at some time. */
  notices: Set<string>;
  refused: number;
}

/** Runs the job; the service is away from its `from`th call of that kind until `calls` of them were refused. */
async function run(away?: { at: 'tool' | 'reward'; from: number; calls: number; afterMs: number }): Promise<Run> {
  const waits: string[] = [];
  const notices = new Set<string>();
  let [made, refused] = [0, 0];
  world.millraceTestService = ({ at }) => {
    if (at !== away?.at) return;
    made += 1;
    if (made <= away.from || refused >= away.calls) return;
    refused += 1;
    throw new RetryLater({ afterMs: away.afterMs, reason: 'lever API: HTTP 429' });
  };
  const onJob = ({ waitingFor, notices: listed }: Job): void => {
    if (waitingFor.includes('to answer again')) waits.push(waitingFor);
    for (const { code } of listed) notices.add(code);
  };
  const result = await runSerial(outageJob(), { stateDir: folder.path, onJob });
  return { result, waits, notices, refused };
}

const books = ({ job }: SerialResult): ReturnType<typeof accounting> => accounting(job.progress!.ledger!, job.progress!.requests);
const resamples = ({ store }: SerialResult): number =>
  store.rows('trajectories').reduce((sum, row) => sum + Number(row['resamples']), 0);

describe('a service that asks to be called later', () => {
  let undisturbed: Promise<Run> | undefined;
  it.each([
    ['a short wait of a tool', { at: 'tool', from: 40, calls: 30, afterMs: 3_000 }, 'tool', true],
    ['a long outage of a tool', { at: 'tool', from: 40, calls: 16, afterMs: 900_000 }, 'tool', true],
    ['a short wait of the reward', { at: 'reward', from: 20, calls: 10, afterMs: 3_000 }, 'reward', false],
    ['a long outage of the reward', { at: 'reward', from: 20, calls: 12, afterMs: 900_000 }, 'reward', true],
  ] as const)('%s costs nothing but time: the same weights, books and rows', async (_, away, source, noticed) => {
    const plain = await (undisturbed ??= run());
    const { result, waits, notices, refused } = await run(away);
    expect(refused).toBe(away.calls);
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    expect(Buffer.from(result.weights.buffer).equals(Buffer.from(plain.result.weights.buffer))).toBe(true);
    expect(books(result)).toEqual(books(plain.result));
    expect(books(result)).toMatchObject({ requests: 16, failed: 0, expired: 0, open: 0 });
    expect(resamples(result)).toBe(0);
    expect(result.store.rows('trajectories')).toHaveLength(plain.result.store.rows('trajectories').length);
    expect(result.seconds).toBeGreaterThan(plain.result.seconds + away.afterMs / 1000);
    expect(waits[0]).toMatch(new RegExp(`^${source}.* to answer again: lever API: HTTP 429 \\(for `));
    expect(notices.has('ADMISSION_HELD')).toBe(noticed);
    expect(result.job.notices.filter(({ resolveTime }) => resolveTime === undefined)).toEqual([]);
  });
});

describe('while a service is away', () => {
  const away: Service = () => {
    throw new RetryLater({ afterMs: 600_000, reason: 'lever API: HTTP 503' });
  };
  const isHeld = ({ waitingFor }: Job): boolean => waitingFor.includes('requests held');

  it('cancel works at once', async () => {
    world.millraceTestService = away;
    let cancelled = false;
    const result = await runSerial(outageJob(), {
      stateDir: folder.path,
      onJob: (job, admin) => {
        if (cancelled || !isHeld(job)) return;
        cancelled = true;
        void admin.cancelJob(job.id);
      },
    });
    expect(result.job.state).toBe(JobState.CANCELLED);
    expect(books(result)).toMatchObject({ requests: 4, failed: 4, failedByClass: { CANCELLED: 4 }, open: 0 });
    expect(result.seconds).toBeLessThan(60);
  });

  it('a paused job tries nothing, and goes on when it is resumed', async () => {
    let calls = 0;
    let callsAtPause = -1;
    let pausedFor = 0;
    world.millraceTestService = ({ at, task }) => {
      if (at === 'tool') calls += 1;
      if (calls === 0 || pausedFor === 0) away({ at, task });
    };
    const result = await runSerial(outageJob(['rounds=2']), {
      stateDir: folder.path,
      onJob: (job, admin) => {
        if (job.state === JobState.PAUSED) {
          expect(job.waitingFor).toMatch(/^someone to resume it.*lever API: HTTP 503/);
          pausedFor += 1;
          // The job is seen once a second: two waits have passed.
          if (pausedFor === 1500) void admin.resumeJob(job.id);
        } else if (isHeld(job) && callsAtPause < 0) {
          callsAtPause = calls;
          void admin.pauseJob(job.id);
        }
        if (job.state === JobState.PAUSED) expect(calls).toBe(callsAtPause);
      },
    });
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    expect(books(result)).toMatchObject({ requests: 8, failed: 0, open: 0 });
  });
});

describe('an outage on a cluster', () => {
  it('outlives workers and coordinators, holds up no other job, and ends with nothing lost', async () => {
    const cluster = await startTestCluster({ learners: 1, rollouts: 1 });
    try {
      const away = join(folder.path, 'away');
      await writeFile(away, '');
      const { id } = await cluster.createJob(outageJob([`source={file: ${away}}`, 'rounds=2']));
      const isAway = ({ waitingFor }: Job): boolean =>
        waitingFor.includes("tool '") && waitingFor.includes('lever API: HTTP 429');
      await cluster.until(id, isAway, 30_000);
      // What a dead worker had in hand comes again to one that keeps nothing in hand for long.
      cluster.kill('rollout-1');
      await cluster.until(id, (job) => isAway(job) && job.waitingFor.includes('requests held'), 60_000);
      cluster.kill('coordinator');
      await cluster.until(id, (job) => isAway(job) && job.waitingFor.includes('requests held'), 30_000);
      // Only a hold of some seconds is a notice.
      await cluster.until(id, ({ notices }) => notices.some(({ code }) => code === 'ADMISSION_HELD'), 30_000);

      await cluster.admin.pauseJob({ jobId: id });
      const other = await cluster.createJob(faultyJob(['fine'], ['rounds=2']));
      expect((await cluster.ended(other.id, 60_000)).state).toBe(JobState.SUCCEEDED);

      await rm(away);
      await cluster.admin.resumeJob({ jobId: id });
      const ended = await cluster.ended(id, 60_000);
      expect(ended.state).toBe(JobState.SUCCEEDED);
      const { requests, failed, open } = accounting(ended.progress!.ledger!, ended.progress!.requests);
      expect({ requests, failed, open }).toEqual({ requests: 8, failed: 0, open: 0 });
      expect(ended.notices.find(({ code }) => code === 'ADMISSION_HELD')?.resolveTime).toBeDefined();
      const resampled = await cluster.rows(`SELECT sum(resamples) FROM trajectories WHERE job = '${id}'`);
      expect(Number(resampled[0]?.[0])).toBe(0);
    } finally {
      await cluster.end();
    }
  });
});
