import { afterAll, beforeAll, expect, it } from 'vitest';
import { WORK_DURABLES } from '../src/protocol/durables.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { openJetStream, type JetStreamConnection } from '../src/bus/nats/connection.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { checkLedger } from '../src/jobs/ledger.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

let cluster: TestCluster;
let admin: JetStreamConnection;
beforeAll(async () => {
  cluster = await startTestCluster({ learners: 1, rollouts: 1 });
  admin = await openJetStream({ servers: cluster.natsUrl, name: 'administrator', ...loginOf(cluster.natsAdmin!) });
});
afterAll(async () => {
  await admin?.nc.close();
  await cluster?.end();
});

it('streams and a bucket deleted under a running job are made again', async () => {
  const { id } = await cluster.createJob(
    thermostatJob([
      'rounds=40',
      'rollout.groupsPerRound=4',
      'rollout.groupSize=8',
      'evaluation.every=20',
      'evaluation.baselines=false',
    ]),
  );
  const deletes: [number, string][] = [
    [3, 'SCORED'],
    [9, 'ROLLOUTS'],
    [15, 'WEIGHTS'],
    [21, 'KV_jobs'],
  ];
  for (const [round, stream] of deletes) {
    await cluster.until(id, ({ progress }) => (progress?.round ?? 0) >= round, 60_000);
    expect(await admin.jsm.streams.delete(stream)).toBe(true);
    const name = stream.replace('KV_', '');
    const isTold = ({ code, subject }: { code: string; subject: string }): boolean =>
      code === 'STREAM_RECREATED' && subject === name;
    await cluster.until(id, ({ notices }) => notices.some(isTold), 60_000);
  }
  // Workers may not make these.
  await cluster.until(id, ({ progress }) => (progress?.round ?? 0) >= 26, 60_000);
  for (const { stream, durable } of WORK_DURABLES) expect(await admin.jsm.consumers.delete(stream, durable)).toBe(true);
  const job = await cluster.ended(id, 120_000);
  expect([job.state, job.error]).toEqual([JobState.SUCCEEDED, '']);
  const { requests, trained, filtered, expired, failed, ended } = books(job);
  const { ledger } = job.progress!;
  checkLedger(ledger!, requests);
  expect({ used: trained + filtered, failed, open: requests - ended }).toEqual({ used: 160, failed: 0, open: 0 });
  // Each group that was used has its rows, but for those that are said to have none.
  const stored = async (): Promise<number> => {
    const sql = `SELECT uniqExact(sequence) FROM trajectories WHERE job = '${id}' AND purpose = 'train' AND valid`;
    return Number((await cluster.rows(sql))[0]![0]);
  };
  await expect.poll(stored, { timeout: 20_000 }).toBe(requests - Number(ledger!.unstored));
  expect(expired).toBeLessThan(requests);
  // Nobody had to be started again for it.
  expect(cluster.nodes().filter(({ restarts }) => restarts > 0)).toEqual([]);
});
