import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  startS3Server,
  TESTING_BUCKET,
  TESTING_CREDENTIALS,
  type TestingS3Server,
} from '../src/artifacts/s3/testing-s3-server.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: TESTING_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: TESTING_CREDENTIALS.secretAccessKey,
};
const before: NodeJS.ProcessEnv = {};
let s3: TestingS3Server;
let cluster: TestCluster;
beforeAll(async () => {
  s3 = await startS3Server();
  // Nodes read them from their environment.
  for (const [name, value] of Object.entries(CREDENTIALS)) {
    before[name] = process.env[name];
    process.env[name] = value;
  }
  cluster = await startTestCluster({
    ...{ learners: 1, rollouts: 1 },
    artifacts: { url: `s3://${TESTING_BUCKET}/cluster`, endpoint: s3.endpoint },
  });
});
afterAll(async () => {
  await cluster?.end();
  for (const [name, value] of Object.entries(before))
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  await s3?.close();
});

const config = (rounds: number, name: string, ...more: string[]) =>
  JSON.stringify(
    thermostatJob([
      ...[`name=${name}`, `rounds=${rounds}`, 'rollout.groupsPerRound=4', 'rollout.groupSize=4', 'evaluation.baselines=false'],
      ...['evaluation.every=6', 'checkpoint.every=2', 'checkpoint.keep=10'],
      ...more,
    ]),
  );
const create = async (request: Parameters<TestCluster['admin']['createJob']>[0]): Promise<Job> =>
  (await cluster.admin.createJob(request)).job!;
const succeeded = async (id: string): Promise<Job> => {
  const job = await cluster.ended(id);
  expect({ id, state: JobState[job.state], error: job.error }).toEqual({ id, state: 'SUCCEEDED', error: '' });
  return job;
};

describe('a cluster that keeps bundles and checkpoints in an S3 store', () => {
  it('forks a job that runs, also after the parameter server was killed, and both go to their end', async () => {
    const first = await create({ jobId: 'first', configJson: config(12, 'first') });
    await cluster.until(first.id, (job) => (job.progress?.round ?? 0) >= 3);
    const fork = await create({ jobId: 'second', configJson: config(10, 'second'), fork: first.id });
    expect(fork.forkedFrom).toMatch(/^first@\d+$/);
    const from = Number(fork.forkedFrom.split('@')[1]);
    expect(from).toBeGreaterThanOrEqual(2);
    cluster.kill('parameter-server');
    const [one, other] = [await succeeded('first'), await succeeded('second')];
    expect([one.progress!.round, other.progress!.round]).toEqual([12, 10]);
    // The fork goes on with the ledger: every request of its rounds and of those before has ended.
    for (const job of [one, other]) expect(books(job).ended).toBe(books(job).requests);
    const rounds = 'SELECT job, min(version), max(version), count() FROM updates GROUP BY job ORDER BY job';
    await expect
      .poll(() => cluster.rows(rounds).then((rows) => rows.map(([job, ...numbers]) => [job, ...numbers.map(Number)])), {
        timeout: 30_000,
      })
      .toEqual([
        ['first', 1, 12, 12],
        ['second', from + 1, 10, 10 - from],
      ]);
  });

  it('begins other jobs from any of its checkpoints', async () => {
    const { checkpoints } = await cluster.admin.listCheckpoints({ jobId: 'first' });
    expect(checkpoints.map(({ version, problem }) => [version, problem])).toEqual(
      [2, 4, 6, 8, 10, 12].map((version) => [version, '']),
    );
    const objects = await readdir(join(s3.folder, 'server', TESTING_BUCKET), { recursive: true });
    for (const { digest } of checkpoints) expect(objects.some((name) => name.includes(digest))).toBe(true);
    for (const { version } of [checkpoints[0]!, checkpoints[2]!, checkpoints.at(-1)!]) {
      const { id, from } = await create({ jobId: `of-${version}`, configJson: config(1, 'of'), from: `first@${version}` });
      expect(from).toBe(`first@${version}`);
      await succeeded(id);
    }
    await expect(create({ configJson: config(1, 'of'), from: 'first@3' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('runs a schedule once so many trajectories of other jobs have come', async () => {
    const schedule = { name: 'fresh', afterTrajectories: 100, configJson: config(1, 'fresh'), fromLatest: true };
    await cluster.admin.createSchedule({ schedule });
    const found = async (): Promise<Job[]> => (await cluster.admin.listJobs({})).jobs.filter(({ id }) => id.startsWith('fresh-'));
    let jobs = 0;
    // What was there at its first look does not count: more comes until it is enough.
    for (const deadline = Date.now() + 90_000; (await found()).length === 0 && Date.now() < deadline;) {
      jobs += 1;
      await succeeded((await create({ jobId: `data-${jobs}`, configJson: config(4, 'data') })).id);
    }
    const [job] = await found();
    await succeeded(job!.id);
    expect((await cluster.admin.getSchedule({ name: 'fresh' })).schedule).toMatchObject({ name: 'fresh', paused: false });
    await cluster.admin.deleteSchedule({ name: 'fresh' });
  });
});
