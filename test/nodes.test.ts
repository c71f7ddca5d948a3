import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { collectQuery } from '../cluster/admin/query-rows.ts';
import { CREDENTIAL_FILES, natsPasswordFile, openCredentials, openNatsPasswords } from '../cluster/infra/credentials.ts';
import { startNatsServer } from '../cluster/infra/nats-server.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { credentialsOf } from '../cluster/runtime/settings/credentials.ts';
import { freePort } from '../cluster/up/free-port.ts';
import { AdminService, JobState, type Job } from '../src/gen/millrace/v1/admin_pb.ts';
import { checkLedger } from '../src/jobs/ledger.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { leaseOwner } from '../src/protocol/lease.ts';
import type { RoleName } from '../src/protocol/roles.ts';
import { createClient } from '../src/rpc/client.ts';
import { books } from './support/cluster.ts';
import { millrace, type RunningCommand } from './support/command.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

const [ROUNDS, GROUPS, GROUP_SIZE] = [16, 4, 4];
const START_MS = 120_000;

/** What each of these hosts runs, besides the store and the coordinator. */
const WORKERS: readonly [string, RoleName][] = [
  ['trainer-a', 'parameter-server'],
  ['trainer-b', 'parameter-server'],
  ['learner-a', 'learner'],
  ['rollout-a', 'rollout'],
  ['rollout-b', 'rollout'],
  ['reward-a', 'reward'],
];

it('nodes that share NATS and artifacts alone train a job, also when a rollout and the trainer of the job are drained', async () => {
  const folder = await temporaryFolder();
  const origin = join(folder.path, 'origin');
  await mkdir(origin, { mode: 0o700 });
  const credentials = openCredentials(origin);
  const passwords = openNatsPasswords(origin);
  const nats = await startNatsServer({ storeDir: join(folder.path, 'nats'), passwords });
  const adminPort = await freePort();
  const config = {
    nats: { url: nats.url },
    ports: { admin: adminPort, clickhouse: 'off' },
    artifacts: { dir: join(folder.path, 'artifacts') },
  };
  await writeFile(join(folder.path, 'cluster.yaml'), JSON.stringify(config));
  const nodes = new Map<string, RunningCommand>();

  /** Starts a node on a host of its own: a folder with the credentials of its role and no others. */
  const start = async (id: string, role: RoleName): Promise<void> => {
    const host = join(folder.path, id);
    await mkdir(join(host, 'credentials'), { recursive: true, mode: 0o700 });
    const names = Object.keys(credentialsOf(role, credentials)) as (keyof typeof CREDENTIAL_FILES)[];
    for (const file of [...names.map((name) => CREDENTIAL_FILES[name]), natsPasswordFile(role)])
      await copyFile(join(origin, 'credentials', file), join(host, 'credentials', file));
    const args = ['--state', host, 'node', 'run', '--roles', role, '--id', id, '--config', '../cluster.yaml'];
    nodes.set(id, millrace(args, { cwd: host }));
  };
  const started = async (id: string): Promise<string> => {
    const [, url] = await nodes.get(id)!.until(/"metrics":"([^"]+)\/metrics","msg":"node started"/, START_MS);
    return url!;
  };
  /** Drains a node and returns its exit code. */
  const drained = async (id: string): Promise<number | NodeJS.Signals> => {
    nodes.get(id)!.kill('SIGTERM');
    return nodes.get(id)!.ended;
  };

  const bus = await connectBus({ servers: nats.url, name: 'test', ...loginOf({ identity: 'admin', password: passwords.admin }) });
  const admin = createClient(AdminService, `127.0.0.1:${adminPort}`, { token: credentials.token });
  const until = async (jobId: string, done: (job: Job) => boolean): Promise<Job> => {
    let job: Job | undefined;
    await expect
      .poll(async () => done((job = (await admin.getJob({ jobId })).job!)) || job.state === JobState.FAILED, { timeout: 180_000 })
      .toBe(true);
    return job!;
  };
  try {
    // It makes the streams, without which workers end to be started again.
    await start('store-a', 'store');
    await started('store-a');
    await start('coordinator-a', 'coordinator');
    await started('coordinator-a');
    for (const [id, role] of WORKERS) await start(id, role);
    for (const [id] of WORKERS) {
      const ready = await fetch(`${await started(id)}/readyz`);
      expect([id, ready.status, await ready.json()]).toEqual([id, 200, { status: 'ready', reasons: [] }]);
    }

    const job = thermostatJob([
      ...[`rounds=${ROUNDS}`, `rollout.groupsPerRound=${GROUPS}`, `rollout.groupSize=${GROUP_SIZE}`],
      ...[`evaluation.every=${ROUNDS}`, 'evaluation.baselines=false'],
    ]);
    const { id } = (await admin.createJob({ configJson: JSON.stringify(job) })).job!;
    await until(id, ({ progress }) => (progress?.round ?? 0) >= 2);
    expect(await drained('rollout-a')).toBe(0);
    const trainer = (await leaseOwner(bus, `trainer.${id}`))!.owner;
    expect(await drained(trainer)).toBe(0);

    const done = await until(id, ({ state }) => state === JobState.SUCCEEDED);
    expect([JobState[done.state], done.error, done.progress!.round]).toEqual(['SUCCEEDED', '', ROUNDS]);
    checkLedger(done.progress!.ledger!, done.progress!.requests);
    const { requests, trained, filtered, failed, ended } = books(done);
    expect({ ended, used: trained + filtered, failed }).toEqual({ ended: requests, used: ROUNDS * GROUPS, failed: 0 });
    const sql = `SELECT count(), uniqExact(trajectory_id) FROM trajectories WHERE job = '${id}' AND purpose = 'train'`;
    await expect
      .poll(async () => (await collectQuery(admin.query({ sql }))).rows[0]!.map(Number), { timeout: 60_000 })
      .toEqual([requests * GROUP_SIZE, requests * GROUP_SIZE]);
    expect(done.checkpoint).toBe(`${id}@${ROUNDS}`);

    for (const each of ['coordinator-a', 'rollout-b', 'learner-a', 'reward-a', 'store-a']) {
      expect([each, await drained(each)]).toEqual([each, 0]);
      expect(nodes.get(each)!.stdout).not.toContain('NATS refused this node');
    }
  } finally {
    admin.close();
    await bus.close();
    for (const node of nodes.values()) node.kill('SIGKILL');
    await Promise.all([...nodes.values()].map(({ ended }) => ended));
    await nats.stop();
    await folder.remove();
  }
});
