import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { monthOf } from '../src/jobs/budgets/month.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { paidJob, paidMoney, trulySpent } from './support/paid.ts';

const GROUP_SIZE = 4;
/** What one process may hold of a job when it is killed: 32 of the largest calls, and what is set aside for those under way. */
const BLOCK = 32 * 10_000 + 4 * GROUP_SIZE * 10_000;
/** Rewards have no largest cost: of what a reward worker has judged and not booked when it is killed, nobody knows. */
const JUDGED = 4 * GROUP_SIZE * 100;

let cluster: TestCluster;
let firstMonth: string;
beforeAll(async () => {
  firstMonth = monthOf(Date.now());
  cluster = await startTestCluster({ learners: 1, money: paidMoney(100, 0.002) });
});
afterAll(() => cluster?.end());

/** A job that writes its calls into a file of its own. */
async function create(name: string, { owner, overrides = [] }: { owner: string; overrides?: string[] }) {
  const log = join(cluster.stateDir, `${name}.log`);
  writeFileSync(log, '');
  const { id } = await cluster.createJob(paidJob(log, [`name=${name}`, `rollout.groupSize=${GROUP_SIZE}`, ...overrides]), {
    owner,
  });
  return { id, log };
}

/** What the ledger of the owner says, over the months of this test. */
async function ledgerOf(owner: string): Promise<{ spent: number; reserved: number; jobs: Record<string, number> }> {
  const sum = { spent: 0, reserved: 0, jobs: {} as Record<string, number> };
  for (const month of new Set([firstMonth, monthOf(Date.now())])) {
    const { budget } = await cluster.admin.getBudget({ owner, month });
    sum.spent += Number(budget!.spentMicroDollars);
    sum.reserved += Number(budget!.reservedMicroDollars);
    for (const { jobId, spentMicroDollars } of budget!.jobs) sum.jobs[jobId] = (sum.jobs[jobId] ?? 0) + Number(spentMicroDollars);
  }
  return sum;
}

/** The sums of a job in the four places that keep one, in micro-dollars. */
async function sums(job: string, owner: string) {
  const { progress } = (await cluster.admin.getJob({ jobId: job })).job!;
  const [row = []] = await cluster.rows(
    `SELECT charged_micro_dollars, in_trajectories_micro_dollars, lost_micro_dollars FROM job_costs WHERE job = '${job}'`,
  );
  const [charged = 0, recorded = 0, lost = 0] = row.map(Number);
  const { jobs, reserved } = await ledgerOf(owner);
  return { ledger: jobs[job], manifest: Number(progress!.ledger!.spentMicroDollars), charged, recorded, lost, reserved };
}

/** The same, once nothing is set aside any more and they agree. Fails with all of them when they do not within a minute. */
async function settledSums(job: string, owner: string) {
  const look = async () => {
    const found = await sums(job, owner).catch(() => undefined);
    if (found === undefined) return { isSettled: false };
    const { ledger, manifest, charged, recorded, lost, reserved } = found;
    const isSettled = reserved === 0 && ledger === manifest && ledger === charged && recorded + lost === charged;
    return { isSettled, ...found };
  };
  await expect.poll(look, { timeout: 60_000, interval: 500 }).toMatchObject({ isSettled: true });
  return sums(job, owner);
}

/** Sent again while the coordinator is away. */
async function patiently<R>(call: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if ((error as { code?: string }).code !== 'unavailable' || attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

describe('money, with kill -9', () => {
  it('ledger, manifest and store have the same sum when each process that spends or counts is killed', async () => {
    const ROUNDS = 9;
    const overrides = [`rounds=${ROUNDS}`, 'rollout.groupsPerRound=4', 'source.waitMs=30', 'source.crashEvery=11'];
    const { id, log } = await create('killed', { owner: 'local', overrides });
    const victims = ['rollout-1', 'reward-1', 'coordinator', 'parameter-server', 'rollout-2', 'store'];
    for (const [i, victim] of victims.entries()) {
      await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 1 + i);
      cluster.kill(victim);
    }
    const job = await cluster.ended(id);
    expect({ state: JobState[job.state], error: job.error }).toEqual({ state: 'SUCCEEDED', error: '' });
    expect(books(job).ended).toBe(books(job).requests);

    const { ledger, recorded } = await settledSums(id, 'local');
    const truth = trulySpent(log);
    // Whatever was called was booked, and of each killed process that spends at most one block more.
    expect(ledger).toBeGreaterThanOrEqual(truth - JUDGED);
    expect(ledger).toBeLessThanOrEqual(truth + 3 * BLOCK);
    expect(recorded).toBeLessThanOrEqual(truth);
    // Two rollout workers were killed in the middle of flows: nobody knows what became of their calls.
    expect(ledger).toBeGreaterThan(recorded);
  });

  it("a month's budget is spent across two jobs and the death of a coordinator, and raised", async () => {
    const LIMIT = 1_500_000;
    const owner = 'team';
    await cluster.admin.updateBudget({ owner, limitMicroDollars: BigInt(LIMIT) });
    const overrides = ['rounds=8', 'rollout.groupsPerRound=4', 'source.waitMs=20', 'evaluation.baselines=false'];
    const jobs = [await create('first', { owner, overrides }), await create('second', { owner, overrides })];
    await expect.poll(async () => (await ledgerOf(owner)).spent, { timeout: 60_000 }).toBeGreaterThan(LIMIT / 3);
    cluster.kill('coordinator');

    const paused: Job[] = [];
    for (const { id } of jobs) paused.push(await cluster.until(id, ({ state }) => state === JobState.PAUSED));
    for (const { id, pauseReason, waitingFor } of paused) {
      expect(pauseReason).toBe('BUDGET_EXHAUSTED');
      expect(waitingFor).toMatch(/^BUDGET_EXHAUSTED: spent \$1\.\d+ of the \$1\.50 of owner team for this month/);
      expect(waitingFor).toContain(
        `millrace budget set team DOLLARS\` (or wait for the next month), then \`millrace job resume ${id}\``,
      );
    }
    // Rewards have no largest cost: what they cost is booked after them, and may be over the limit.
    const rewards = 2 * 2 * 4 * GROUP_SIZE * 100;
    const { spent, reserved } = await ledgerOf(owner);
    expect(spent + reserved).toBeLessThanOrEqual(LIMIT + rewards);
    expect(jobs.reduce((sum, { log }) => sum + trulySpent(log), 0)).toBeLessThanOrEqual(spent + reserved);

    const [first] = jobs;
    const resume = (jobId: string) => patiently(() => cluster.admin.resumeJob({ jobId }));
    await expect(resume(first!.id)).rejects.toThrow(
      /cannot go on: BUDGET_EXHAUSTED, spent \$1\.\d+ of the \$1\.50 of owner team/,
    );
    await patiently(() => cluster.admin.updateBudget({ owner, limitMicroDollars: 100_000_000n }));
    for (const { id } of jobs) await resume(id);
    let all = 0;
    for (const { id, log } of jobs) {
      const job = await cluster.ended(id);
      expect({ state: JobState[job.state], error: job.error }).toEqual({ state: 'SUCCEEDED', error: '' });
      const { ledger } = await settledSums(id, owner);
      // No process that spends was killed: every micro-dollar is one that was spent.
      expect(ledger).toBe(trulySpent(log));
      all += ledger!;
    }
    expect((await ledgerOf(owner)).spent).toBe(all);
    const stored = await cluster.rows(`SELECT sum(micro_dollars) FROM spending FINAL WHERE owner = '${owner}'`);
    expect(Number(stored[0]![0])).toBe(all);
  });
});
