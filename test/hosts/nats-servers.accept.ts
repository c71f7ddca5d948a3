import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openJetStream } from '../../src/bus/nats/connection.ts';
import { natsSchema, type NatsConfig } from '../../src/config/nats.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { connectBus, type ConnectOptions } from '../../src/protocol/connect.ts';
import { makeCertificates } from '../support/certificates.ts';
import { books, startTestCluster } from '../support/cluster.ts';
import { startNatsCluster, type NatsCluster } from '../support/nats-cluster.ts';
import { thermostatJob } from '../support/thermostat.ts';

const LOGIN = { user: 'millrace', password: 'a password of this test' };

let servers: NatsCluster;
let nats: NatsConfig & { url: string };
let link: ConnectOptions;
beforeAll(async () => {
  servers = await startNatsCluster({
    configuration: async (folder) => {
      const { caFile, certFile, keyFile } = await makeCertificates(folder);
      nats = { url: '', caFile, certFile, keyFile, replicas: 3, ...LOGIN };
      return [
        `tls { cert_file: ${certFile}, key_file: ${keyFile}, ca_file: ${caFile}, verify: true }`,
        `authorization { users: [{ user: ${LOGIN.user}, password: "${LOGIN.password}" }] }`,
      ];
    },
  });
  nats.url = servers.url;
  const { url, ...access } = natsSchema.parse(nats);
  link = { servers: url!, name: 'test', ...access };
  // The servers elect a leader first.
  await vi.waitFor(makeStreams, { timeout: 60_000, interval: 500 });
});
afterAll(() => servers?.stop());

async function makeStreams(): Promise<void> {
  const bus = await connectBus({ ...link, connectTimeoutMs: 2000 });
  await bus.ensureTopology().finally(() => bus.close());
}

describe('three NATS servers with TLS and a password', () => {
  it('let nobody in without them, and the error says why', async () => {
    await expect(connectBus({ ...link, password: 'another' })).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(connectBus({ ...link, certFile: undefined, keyFile: undefined, connectTimeoutMs: 1000 })).rejects.toThrow(
      /: no answer in time; .*: nats\.certFile names one$/,
    );
    await expect(connectBus({ ...link, caFile: undefined, connectTimeoutMs: 1000 })).rejects.toThrow(
      /: the certificate of the server cannot be verified .*; nats\.caFile names the authority/,
    );
  });

  it('keep three copies, also when a node comes that was told of none', async () => {
    const bus = await connectBus({ ...link, replicas: undefined });
    await bus.ensureTopology();
    await bus.close();
    const admin = await openJetStream(link);
    const copies = new Set<number>();
    for await (const { config } of admin.jsm.streams.list()) copies.add(config.num_replicas);
    await admin.nc.close();
    expect([...copies]).toEqual([3]);
  });

  it('tell of changes soon after the server is lost that held a watch', async () => {
    const watcher = await connectBus({ ...link, name: 'watcher' });
    const writer = await connectBus({ ...link, name: 'writer' });
    const admin = await openJetStream({ ...link, name: 'admin' });
    const seen = new Set<string>();
    await watcher.kv('jobs').watch('>', ({ key }) => seen.add(key));
    for (const round of [1, 2]) {
      const held: { created: string; leader: string }[] = [];
      for await (const { created, cluster } of admin.jsm.consumers.list('KV_jobs'))
        held.push({ created, leader: cluster!.leader! });
      const home = held.sort((a, b) => (a.created < b.created ? 1 : -1))[0]!.leader;
      await servers.kill(home);
      const put = (): Promise<string> =>
        writer
          .kv('jobs')
          .put(`key-${round}`, Buffer.from('x'))
          .then(() => 'put', String);
      await expect.poll(put, { timeout: 30_000 }).toBe('put');
      // Before, it took until that server came back. The rest of the time elects a new leader of everything.
      await expect.poll(() => seen.has(`key-${round}`), { timeout: 15_000 }).toBe(true);
      servers.restart(home);
      await sleep(5000);
    }
    await admin.nc.close();
    await Promise.all([watcher.close(), writer.close()]);
  });

  it('train a job while each of them is killed in turn, and lose nothing', async () => {
    const cluster = await startTestCluster({ nats });
    try {
      const config = thermostatJob(['rounds=60', 'rollout.groupsPerRound=6', 'rollout.groupSize=8', 'evaluation.every=20']);
      const { id } = await cluster.createJob(config);
      const gaps: number[] = [];
      for (const [i, name] of servers.names.entries()) {
        const { round } = (await cluster.until(id, (job) => (job.progress?.round ?? 0) >= 5 + 15 * i)).progress!;
        const killedAt = performance.now();
        await servers.kill(name);
        await cluster.until(id, (job) => job.progress!.round > round + 1);
        gaps.push(Math.round(performance.now() - killedAt) / 1000);
        servers.restart(name);
        await sleep(5000);
      }
      process.stdout.write(`seconds until two more rounds were committed, by lost server: ${gaps.join(', ')}\n`);
      const job = await cluster.ended(id);
      expect(job.state).toBe(JobState.SUCCEEDED);
      const { requests, trained, filtered, failed, ended } = books(job);
      expect({ ended, trained: trained + filtered, failed }).toEqual({ ended: requests, trained: 360, failed: 0 });
      const counted = `SELECT count(), uniqExact(trajectory_id) FROM trajectories WHERE job = '${id}' AND purpose = 'train'`;
      await expect
        .poll(async () => (await cluster.rows(counted))[0]!.map(Number), { timeout: 60_000 })
        .toEqual([requests * 8, requests * 8]);
    } finally {
      await cluster.end();
    }
  });
});
