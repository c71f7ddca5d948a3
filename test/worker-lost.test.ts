import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REAL_PORTS } from '../cluster/jobs/real-ports.ts';
import { loadJobRuntime } from '../cluster/jobs/runtime.ts';
import { taskPlan } from '../cluster/jobs/tasks.ts';
import type { JobConfig } from '../src/config/job.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { faultyJob } from './support/faulty.ts';

let cluster: TestCluster;
let job: string;
beforeAll(async () => {
  cluster = await startTestCluster({ learners: 2, rollouts: 1 });
});
afterAll(() => cluster?.end());

/** Tasks of which the one that is asked for second kills the process that runs it. */
async function jobWithOneDeadlyTask(): Promise<JobConfig> {
  const kinds = Array.from({ length: 20 }, () => 'fine');
  const runtime = await loadJobRuntime(faultyJob(kinds), REAL_PORTS);
  const second = (await taskPlan(runtime, await runtime.tasks())).taskFor(1);
  kinds[Number(second.id.slice('task-'.length))] = 'deadly';
  return faultyJob(kinds, ['rounds=2']);
}

const learners = async (version: number): Promise<number> =>
  Number((await cluster.rows(`SELECT learners FROM updates WHERE job = '${job}' AND version = ${version}`))[0]?.[0]);
const restarts = (): Record<string, number> => Object.fromEntries(cluster.nodes().map((node) => [node.id, node.restarts]));

// One job for both, since both are mostly waiting: requests of a lost worker come back after ten seconds, a silent learner
// counts as lost after fifteen.
describe('workers that are lost', () => {
  it('a stalled learner loses its shards, and rejoins later', async () => {
    cluster.signal('learner-2', 'SIGSTOP');
    job = (await cluster.createJob(await jobWithOneDeadlyTask())).id;
    await cluster.until(job, ({ progress }) => (progress?.round ?? 0) >= 1, 60_000);
    cluster.signal('learner-2', 'SIGCONT');
    await expect.poll(() => learners(1), { timeout: 10_000, interval: 200 }).toBe(1);
  });

  it('a task that kills its worker is given up alone, and replaced', async () => {
    const ended = await cluster.ended(job, 150_000);
    expect(ended.state).toBe(JobState.SUCCEEDED);
    const { requests, expired, failed, ended: accounted } = books(ended);
    expect({ used: requests - expired - failed, failed, open: requests - accounted }).toEqual({ used: 8, failed: 1, open: 0 });
    expect(ended.progress?.ledger?.failedByClass).toEqual({ WORKER_LOST: 1n });
    // Who did it is said where people look.
    const { subject, message, count } = ended.notices.find(({ code }) => code === 'WORKER_ENDED')!;
    expect(subject).toMatch(/^tool '(left|right)' on task 'task-\d+'$/);
    expect(message).toMatch(/^node rollout-1 ended \(SIGKILL\) while it ran tool '(left|right)' of flow 'faulty' on task 'task-/);
    expect(Number(count)).toBeGreaterThan(0);
    // It killed one process at each of its five deliveries; nobody else died, not even the learner that stood still.
    expect(restarts()).toMatchObject({ 'rollout-1': 5, 'reward-1': 0, 'learner-1': 0, 'learner-2': 0, 'parameter-server': 0 });
    await expect.poll(() => learners(2), { timeout: 10_000, interval: 200 }).toBe(2);
  });
});
