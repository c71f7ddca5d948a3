import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

const ROUNDS = 60;
const GROUPS = 6;

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster?.end());

describe('kill -9 during training', () => {
  it('costs time, never accounting: every process but the store is killed once, and the job ends with all requests accounted for', async () => {
    const config = thermostatJob([`rounds=${ROUNDS}`, `rollout.groupsPerRound=${GROUPS}`, 'evaluation.every=20']);
    const { id } = await cluster.createJob(config);
    const victims = ['rollout-1', 'learner-2', 'reward-1', 'parameter-server', 'coordinator', 'rollout-2', 'learner-1'];
    for (const [i, victim] of victims.entries()) {
      await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 4 + 6 * i);
      cluster.kill(victim);
    }
    const job = await cluster.ended(id, 200_000);
    expect(job.state).toBe(JobState.SUCCEEDED);
    expect(job.progress?.round).toBe(ROUNDS);

    const { requests, trained, filtered, failed, ended } = books(job);
    expect(ended).toBe(requests);
    expect(trained + filtered).toBe(ROUNDS * GROUPS);
    expect(failed).toBe(0);
    expect(job.evaluations.map(({ name, policyVersion }) => `${name}@${policyVersion}`)).toEqual(
      expect.arrayContaining(['do-nothing@0', 'random@0', 'untrained@0', 'rule@0', `trained@${ROUNDS}`]),
    );
    for (const { id: node, restarts } of cluster.nodes()) expect([node, restarts > 0]).toEqual([node, victims.includes(node)]);

    // ClickHouse agrees: one row a round, every trained or filtered group there once, no trajectory twice.
    const deadline = Date.now() + 20_000;
    const updates = async (): Promise<number> =>
      Number((await cluster.rows(`SELECT count() FROM updates WHERE job = '${id}'`))[0]![0]);
    while ((await updates()) < ROUNDS && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
    const [[count, groups]] = (await cluster.rows(
      `SELECT count(), sum(trained + filtered) FROM updates WHERE job = '${id}'`,
    )) as [[number, number]];
    expect(Number(count)).toBe(ROUNDS);
    expect(Number(groups)).toBe(ROUNDS * GROUPS);
    const [[rows, distinct, sequences]] = (await cluster.rows(
      `SELECT count(), uniqExact(trajectory_id), uniqExact(sequence) FROM trajectories WHERE job = '${id}' AND purpose = 'train'`,
    )) as [[number, number, number]];
    expect(Number(rows)).toBe(Number(distinct));
    expect(Number(sequences)).toBe(requests);
    expect(Number(rows)).toBe(requests * config.rollout.groupSize);
  });
});
