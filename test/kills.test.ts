import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob, unequalThermostatJob } from './support/thermostat.ts';

const ROUNDS = 40;
const GROUPS = 6;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster?.end());

describe('kill -9 during training', () => {
  it('accounts for every request and row when each process is killed', async () => {
    const config = thermostatJob([
      `rounds=${ROUNDS}`,
      `rollout.groupsPerRound=${GROUPS}`,
      'rollout.groupSize=8',
      'evaluation.every=20',
    ]);
    const { id } = await cluster.createJob(config);
    const victims = [
      'rollout-1',
      'store',
      'learner-2',
      'reward-1',
      'nats-server',
      'parameter-server',
      'coordinator',
      'rollout-2',
      'learner-1',
      'store',
    ];
    for (const [i, victim] of victims.entries()) {
      await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 3 + 3 * i);
      if (victim === 'nats-server') process.kill(cluster.nats()!.pid!, 'SIGKILL');
      else cluster.kill(victim);
    }
    const job = await cluster.ended(id, 200_000);
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(job.progress?.round).toBe(ROUNDS);

    const { requests, trained, filtered, failed, ended } = books(job);
    expect(ended).toBe(requests);
    expect(trained + filtered).toBe(ROUNDS * GROUPS);
    expect({ failed, by: job.progress?.ledger?.failedByClass }).toEqual({ failed: 0, by: {} });
    expect(job.evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`)).toEqual(
      expect.arrayContaining(['do-nothing@0', 'random@0', 'untrained@0', 'rule@0', `trained@${ROUNDS}`]),
    );
    expect(cluster.nats()?.restarts).toBe(1);
    for (const { id: node, restarts } of cluster.nodes()) expect([node, restarts > 0]).toEqual([node, victims.includes(node)]);

    // ClickHouse agrees: one row a round, every trained or filtered group there once, no trajectory twice, each with its steps. What a
    // killed store held comes again after half a minute.
    const numbers = async (sql: string): Promise<number[]> => (await cluster.rows(sql))[0]!.map(Number);
    const stored = `SELECT count() FROM trajectories WHERE job = '${id}' AND purpose = 'train'`;
    await expect.poll(() => numbers(stored).catch(() => []), { timeout: 60_000 }).toEqual([requests * config.rollout.groupSize]);
    const rounds = `SELECT count(), sum(trained + filtered) FROM updates WHERE job = '${id}'`;
    await expect.poll(() => numbers(rounds), { timeout: 60_000 }).toEqual([ROUNDS, ROUNDS * GROUPS]);
    expect(
      await numbers(
        `SELECT uniqExact(trajectory_id), uniqExact(sequence) FROM trajectories WHERE job = '${id}' AND purpose = 'train'`,
      ),
    ).toEqual([requests * config.rollout.groupSize, requests]);
    const [told, steps, unlike] = await numbers(
      `SELECT sum(told), sum(found), countIf(told != found) FROM
       (
           SELECT trajectory_id, sum(told) AS told, sum(found) AS found FROM
           (
               SELECT trajectory_id, toInt64(steps) AS told, 0 AS found FROM trajectories WHERE job = '${id}'
               UNION ALL
               SELECT trajectory_id, 0, 1 FROM steps WHERE job = '${id}'
           )
           GROUP BY trajectory_id
       )`,
    );
    expect({ steps, unlike }).toEqual({ steps: told, unlike: 0 });
    expect(steps).toBeGreaterThan(0);
  });

  it('does so with a critic, custom rewards, exploration and a curriculum', async () => {
    const components = [
      { name: 'outcome', weight: 1 },
      { name: 'potential', weight: 0.1, gamma: 0.9 },
      { name: 'brevity', weight: 0.2, module: fileURLToPath(new URL('./flows/brevity.ts', import.meta.url)) },
    ];
    const config = thermostatJob([
      'rounds=24',
      `rollout.groupsPerRound=${GROUPS}`,
      'rollout.groupSize=8',
      'evaluation.every=12',
      'evaluation.baselines=false',
      'algorithm={name: ppo, epochs: 2, miniBatches: 2, value: {gamma: 0.9, lambda: 0.9}}',
      `reward.components=${JSON.stringify(components)}`,
      'exploration.forced.share=0.25',
      'exploration.thompson.mix=0.1',
      'curriculum.enabled=true',
    ]);
    const flow = fileURLToPath(new URL('./flows/shaped.ts', import.meta.url));
    const { id } = await cluster.createJob({ ...config, flow });
    for (const [i, victim] of ['parameter-server', 'reward-1', 'learner-1', 'coordinator', 'rollout-1'].entries()) {
      await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 3 + 4 * i);
      cluster.kill(victim);
    }
    const job = await cluster.ended(id);
    expect(job.error).toBe('');
    expect(job.state).toBe(JobState.SUCCEEDED);
    const { requests, trained, filtered, failed, ended } = books(job);
    expect({ ended, used: trained + filtered, failed }).toEqual({ ended: requests, used: 24 * GROUPS, failed: 0 });

    const one = async (sql: string): Promise<number> => Number((await cluster.rows(sql))[0]![0]);
    await expect.poll(() => one(`SELECT count() FROM updates WHERE job = '${id}'`), { timeout: 20_000 }).toBe(24);
    const trajectories = `FROM trajectories WHERE job = '${id}' AND purpose = 'train'`;
    expect(await one(`SELECT count() ${trajectories}`)).toBe(requests * config.rollout.groupSize);
    expect(
      await one(
        `SELECT countIf(NOT valid OR arraySort(mapKeys(components)) != ['brevity', 'comfort', 'outcome', 'potential'] OR abs(reward - components['outcome'] - 0.1 * components['potential'] - 0.2 * components['brevity']) > 1e-5) ${trajectories}`,
      ),
    ).toBe(0);
    expect(await one(`SELECT countIf(metrics['valueLoss'] > 0) FROM updates WHERE job = '${id}'`)).toBeGreaterThan(20);
    expect(await one(`SELECT uniqExact(kind) FROM exploration WHERE job = '${id}' AND version = 24`)).toBeGreaterThan(1);
  });

  it('lets twelve jobs that run at once go on when their coordinator and their parameter server are killed', async () => {
    const groups = 4;
    const config = unequalThermostatJob([
      'rounds=4',
      'split.heldOut=0.02',
      `rollout.groupsPerRound=${groups}`,
      'rollout.groupSize=4',
      'evaluation.every=0',
      'evaluation.baselines=false',
    ]);
    const jobs = await Promise.all(Array.from({ length: 12 }, (_, seed) => cluster.createJob({ ...config, seed })));
    for (const { id } of jobs) await cluster.until(id, ({ state }) => state !== JobState.QUEUED);
    await cluster.until(jobs[0]!.id, (job) => (job.progress?.round ?? 0) >= 1);
    cluster.kill('coordinator');
    await cluster.until(jobs[6]!.id, (job) => (job.progress?.round ?? 0) >= 2);
    cluster.kill('parameter-server');
    for (const { id } of jobs) {
      const job = await cluster.ended(id, 180_000);
      expect({ id, state: JobState[job.state], error: job.error }).toEqual({ id, state: 'SUCCEEDED', error: '' });
      const { requests, trained, filtered, failed, ended } = books(job);
      expect({ id, ended, used: trained + filtered, failed }).toEqual({ id, ended: requests, used: 4 * groups, failed: 0 });
      const stored = async (): Promise<number[]> =>
        (
          await cluster.rows(
            `SELECT count(), uniqExact(trajectory_id) FROM trajectories WHERE job = '${id}' AND purpose = 'train'`,
          )
        )[0]!.map(Number);
      await expect.poll(stored, { timeout: 20_000 }).toEqual([requests * 4, requests * 4]);
    }
  });
});
