import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../src/bus/bus.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { openJetStream } from '../src/bus/nats/connection.ts';
import { JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { checkLedger } from '../src/jobs/ledger.ts';
import { createClient, stateOf } from '../src/client/index.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { millraceToEnd } from './support/command.ts';
import { faultyJob } from './support/faulty.ts';
import { connectByReflection, type GenericClient } from './support/reflection.ts';
import { thermostatJob } from './support/thermostat.ts';

const ADMIN = 'millrace.v1.AdminService';

let cluster: TestCluster;
let client: GenericClient;
let bus: Bus;
beforeAll(async () => {
  cluster = await startTestCluster({ maxRunning: 1, learners: 1, rollouts: 1 });
  client = await connectByReflection(cluster.address, cluster.token);
  bus = await connectBus({ servers: cluster.natsUrl, name: 'test', ...loginOf(cluster.natsAdmin!) });
});
afterAll(async () => {
  client?.close();
  await bus?.close();
  await cluster?.end();
});

const job = async (jobId: string): Promise<Job> => (await cluster.admin.getJob({ jobId })).job!;
const round = async (jobId: string): Promise<number> => (await job(jobId)).progress!.round;
const small = (...more: string[]): string =>
  JSON.stringify(thermostatJob(['rollout.groupsPerRound=4', 'evaluation.every=0', 'evaluation.baselines=false', ...more]));

async function durables(): Promise<string[]> {
  const link = await openJetStream({ servers: cluster.natsUrl, name: 'test-durables', ...loginOf(cluster.natsAdmin!) });
  const names: string[] = [];
  for await (const { name } of link.jsm.consumers.list('SCORED')) names.push(name);
  await link.nc.close();
  return names.sort();
}

describe('a client that knows nothing but the address and the token', () => {
  it('finds the services, and reads nodes, actors and health', async () => {
    expect(client.services).toEqual(expect.arrayContaining([ADMIN, 'grpc.health.v1.Health']));
    expect(await client.health('')).toBe(1);
    expect(await client.health(ADMIN)).toBe(1);
    await expect(client.health('no.Such')).rejects.toMatchObject({ code: 5 });
    const { nodes } = (await client.call(`${ADMIN}/ListNodes`, {})) as { nodes: { id: string; pid: number }[] };
    const running = Object.fromEntries(cluster.nodes().map(({ id, pid }) => [id, pid]));
    expect(Object.fromEntries(nodes.map(({ id, pid }) => [id, pid]))).toEqual(running);
    const { actors } = (await client.call(`${ADMIN}/ListActors`, { nodeId: 'rollout-1' })) as { actors: { address: string }[] };
    expect(actors.map(({ address }) => address)).toEqual(['rollout-1/rollout/worker']);
  });

  it.each<[string, string, object, number, RegExp]>([
    ['GetJob', 'nobody', { jobId: 'nobody' }, 5, /job_id: There is no job "nobody"/],
    ['GetJob', 'an id that is none', { jobId: 'No Id' }, 3, /job_id: "No Id" is not a job id/],
    ['CreateJob', 'nothing', {}, 3, /config_json: is missing/],
    ['CreateJob', 'no JSON', { configJson: '{' }, 3, /config_json: not valid JSON/],
    [
      'CreateJob',
      'a wrong field',
      { configJson: '{"name":"x","flow":"/f.ts","rollout":{"groupSize":0}}' },
      3,
      /rollout\.groupSize: got 0, expected an integer/,
    ],
    [
      'CreateJob',
      'a flow that no file says where it is',
      { configJson: '{"name":"x","flow":"flow.ts"}' },
      3,
      /flow: got "flow\.ts", expected an absolute path/,
    ],
    [
      'CreateJob',
      'no flow there',
      { configJson: '{"name":"x","flow":"/no/flow.ts"}' },
      5,
      /flow: \/no\/flow\.ts: there is no such flow module/,
    ],
    ['ListActors', 'no such node', { nodeId: 'rollout-9' }, 5, /node_id: There is no node "rollout-9"/],
    ['ListJobs', 'a page too large', { pageSize: 5000 }, 3, /page_size: got 5000, expected 1 to 1000/],
    ['ListJobs', 'a token of nobody', { pageToken: 'x' }, 3, /page_token: is no page token/],
  ])('%s refuses %s', async (method, _, request, code, details) => {
    await expect(client.call(`${ADMIN}/${method}`, request as never)).rejects.toMatchObject({
      code,
      details: expect.stringMatching(details),
    });
  });

  it('CreateJob refuses tasks that are wrong, with the field, and queues nothing', async () => {
    const config = JSON.stringify({ ...faultyJob(['fine']), source: { kinds: ['fine', 'rotten'] } });
    await expect(client.call(`${ADMIN}/CreateJob`, { configJson: config })).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/^data: .*kinds|^data: load of flow 'faulty'/),
    });
    expect(await client.call(`${ADMIN}/ListJobs`, {})).toEqual({});
  });
});

describe('jobs, from queue to end', () => {
  let [first, second] = ['', ''];

  it('run one after the other, and say what they wait for', async () => {
    ({ id: first } = (await cluster.admin.createJob({ configJson: small('rounds=5000') })).job!);
    ({ id: second } = (await cluster.admin.createJob({ configJson: small('rounds=3') })).job!);
    expect([first, second]).toEqual(['thermostat-1', 'thermostat-2']);
    await cluster.until(first, ({ progress }) => progress!.round >= 2);
    expect(await job(second)).toMatchObject({
      state: JobState.QUEUED,
      waitingFor: 'its turn: place 1 in the queue; 1 of 1 jobs run',
      queuePosition: 1,
    });
    await client.call(`${ADMIN}/ResumeJob`, { jobId: second });
    expect(await job(second)).toMatchObject({ state: JobState.QUEUED });
    const { jobs } = (await client.call(`${ADMIN}/ListJobs`, { pageSize: 1 })) as { jobs: { id: string }[] };
    expect(jobs.map(({ id }) => id)).toEqual(['thermostat-2']);
  });

  it('name the missing role while the rollout worker stands still', async () => {
    cluster.signal('rollout-1', 'SIGSTOP');
    await cluster.until(first, ({ waitingFor }) => /^a rollout worker to connect \(none is alive\)$/.test(waitingFor), 30_000);
    const described = await millraceToEnd(['--state', cluster.stateDir, 'job', 'describe', first]);
    expect(described).toMatchObject({ code: 0, stderr: '' });
    expect(described.stdout).toMatch(/^waiting for +a rollout worker to connect \(none is alive\)$/m);
    expect(described.stdout).toMatch(/^ +check +adds up$/m);
    const before = await round(first);
    cluster.signal('rollout-1', 'SIGCONT');
    await cluster.until(first, ({ progress }) => progress!.round > before + 2);
  });

  it('are paused and go on; a paused one lets the next one run, whose watch ends with it', async () => {
    await client.call(`${ADMIN}/PauseJob`, { jobId: first });
    const states: string[] = [];
    for await (const answer of client.stream(`${ADMIN}/WatchJob`, { jobId: second })) {
      const { state } = (answer as { job: { state: string } }).job;
      if (states.at(-1) !== state) states.push(state);
    }
    expect(states.at(-1)).toBe('JOB_STATE_SUCCEEDED');
    expect(states).toContain('JOB_STATE_RUNNING');
    const { requests, expired, ended } = books(await job(second));
    expect({ used: requests - expired, open: requests - ended }).toEqual({ used: 12, open: 0 });

    const paused = await job(first);
    expect(paused).toMatchObject({ state: JobState.PAUSED, waitingFor: expect.stringMatching(/^someone to resume it/) });
    await sleep(1_000);
    expect(await round(first)).toBe(paused.progress!.round);
    await client.call(`${ADMIN}/ResumeJob`, { jobId: first });
    await cluster.until(first, ({ progress }) => progress!.round > paused.progress!.round + 2);
  });

  it('are cancelled in the middle: the books add up, and nothing of them is left', async () => {
    const watched: Promise<Job> = (async () => {
      let last: Job | undefined;
      for await (const answer of cluster.admin.watchJob({ jobId: first })) last = answer.job;
      return last!;
    })();
    // With its only worker standing still, the job has requests open for certain.
    cluster.signal('rollout-1', 'SIGSTOP');
    const waiting = async (): Promise<number> => (await bus.streamState('ROLLOUTS', `rollout.${first}`)).messages;
    // What the worker had ended before is counted by others first; what it holds stays.
    await expect.poll(async () => [await waiting(), await sleep(500), await waiting()].every((n) => n !== 0)).toBe(true);
    await client.call(`${ADMIN}/CancelJob`, { jobId: first });
    cluster.signal('rollout-1', 'SIGCONT');
    const ended = await watched;
    expect(ended.state).toBe(JobState.CANCELLED);
    const { requests, trained, filtered, failed, ended: all } = books(ended);
    expect(all).toBe(requests);
    checkLedger(ended.progress!.ledger!, requests);
    expect(failed).toBeGreaterThan(0);
    expect(ended.progress!.ledger!.failedByClass).toEqual({ CANCELLED: BigInt(failed) });
    expect(trained + filtered).toBeGreaterThanOrEqual(4 * ended.progress!.round);

    await expect.poll(() => durables(), { timeout: 10_000 }).toEqual(['writer']);
    expect((await bus.streamState('ROLLOUTS', `rollout.${first}`)).messages).toBe(0);
    const actors = async (): Promise<string[]> => (await cluster.admin.listActors({})).actors.map(({ address }) => address);
    await expect.poll(actors, { timeout: 10_000 }).not.toEqual(expect.arrayContaining([expect.stringContaining('thermostat')]));
    // Cancelled is cancelled: again changes nothing, and there is no way back.
    await client.call(`${ADMIN}/CancelJob`, { jobId: first });
    await expect(client.call(`${ADMIN}/ResumeJob`, { jobId: first })).rejects.toMatchObject({
      code: 9,
      details: expect.stringMatching(/CANCELLED is final/),
    });
    await expect.poll(async () => (await bus.streamState('SCORED')).messages, { timeout: 10_000 }).toBe(0);
  });

  it('are in the store with their history', async () => {
    // A busy machine may have made tools late, or held an event loop: that is in the history, too.
    const byChance = `'notice', 'notice-resolved', 'tool-timeouts'`;
    const history = `SELECT DISTINCT kind FROM job_events WHERE job = '${first}' AND kind NOT IN (${byChance})`;
    const kinds = async (): Promise<string[]> => (await cluster.rows(history)).map(([kind]) => String(kind)).sort();
    await expect
      .poll(kinds, { timeout: 10_000 })
      .toEqual(['cancel', 'cancelled', 'continued', 'created', 'paused', 'resumed', 'started']);
  });
});

describe('the client of applications', () => {
  it('trains a flow that lies nowhere on the machine of the cluster', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-app-'));
    const app = createClient({ endpoint: cluster.address, token: cluster.token });
    try {
      cpSync(join('docs', 'first-flow', 'flow.ts'), join(folder, 'flow.ts'));
      const config = {
        ...{ name: 'app', rounds: 2, rollout: { groupSize: 4, groupsPerRound: 4 } },
        evaluation: { every: 0, baselines: false },
      };
      const requestId = randomUUID();
      const { id } = await app.jobs.create({ config, flow: join(folder, 'flow.ts'), owner: 'app', requestId });
      const uploaded = await app.uploadFlow({ flow: join(folder, 'flow.ts') });
      rmSync(folder, { recursive: true });
      // The answer was lost, says the network; the flow is in the cluster.
      const again = { configJson: (await app.jobs.get(id)).configJson, bundleDigest: uploaded.bundle, owner: 'app', requestId };
      expect((await app.admin.createJob(again)).job?.id).toBe(id);
      const states: string[] = [];
      for await (const one of app.jobs.watch(id, { fields: ['progress.round'] })) states.push(stateOf(one));
      expect(states.at(-1)).toBe('succeeded');
      expect((await app.jobs.evaluations(id)).map(({ name, policyVersion }) => `${name}@${policyVersion}`)).toEqual([
        'trained@2',
        'test-trained@2',
      ]);
      const ids: string[] = [];
      for await (const one of app.jobs.list({ filter: 'owner=app AND state=SUCCEEDED', fields: ['id'] })) ids.push(one.id);
      expect(ids).toEqual([id]);
      await expect(app.jobs.create({ config, flow: { bundle: 'a'.repeat(64) } })).rejects.toMatchObject({
        code: 'not_found',
        field: 'bundle_digest',
      });
    } finally {
      app.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
