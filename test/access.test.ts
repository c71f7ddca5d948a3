import { spawn } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MillraceError } from '../src/errors.ts';
import { AdminService } from '../src/gen/millrace/v1/admin_pb.ts';
import { StoreService } from '../src/gen/millrace/v1/store_pb.ts';
import { createClient } from '../src/rpc/client.ts';
import { connectWork } from '../src/rpc/work.ts';
import { startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

/* What other accounts of the machine, and the processes that run flows, get of a cluster that has run a job. */

let cluster: TestCluster;
let secrets: string[];
beforeAll(async () => {
  process.env['MILLRACE_CLUSTER__CLICKHOUSE__PASSWORD'] = 'a secret of the environment';
  cluster = await startTestCluster({ learners: 1, rollouts: 1, clickhousePort: 0, gatewayPort: 0 });
  const { id } = await cluster.createJob(thermostatJob(['rounds=3', 'rollout.groupsPerRound=4', 'evaluation.every=3']));
  await cluster.ended(id);
  const folder = join(cluster.stateDir, 'credentials');
  secrets = readdirSync(folder)
    .filter((name) => !name.endsWith('.netrc'))
    .map((name) => readFileSync(join(folder, name), 'utf8').trim());
});
afterAll(async () => {
  delete process.env['MILLRACE_CLUSTER__CLICKHOUSE__PASSWORD'];
  await cluster?.end();
});

const readToken = (): string => readFileSync(join(cluster.stateDir, 'credentials', 'reader.token'), 'utf8').trim();

/** Everything below a folder that others may read, write or enter. */
function openToOthers(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isSymbolicLink()) return [];
    const open = (found.mode & 0o077) === 0 ? [] : [`${relative(cluster.stateDir, path)} ${(found.mode & 0o777).toString(8)}`];
    return found.isDirectory() ? [...open, ...openToOthers(path)] : open;
  });
}

/** What a program prints that runs as another account. */
function asNobody(script: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, ['-e', script, ...args], {
    uid: 65534,
    gid: 65534,
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more: string) => (text += more));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(text.trim()));
  });
}

describe('the state folder', () => {
  it('holds nothing that another account can read, after a job with checkpoints', () => {
    expect(lstatSync(cluster.stateDir).mode & 0o777).toBe(0o700);
    expect(openToOthers(cluster.stateDir)).toEqual([]);
    expect(readdirSync(cluster.stateDir)).toEqual(
      expect.arrayContaining(['admin.json', 'checkpoints', 'clickhouse', 'credentials', 'logs', 'nats']),
    );
  });
});

describe('secrets', () => {
  it('stand in no arguments, no environment and no log', async () => {
    expect(secrets.length).toBeGreaterThanOrEqual(10);
    const pids = [...cluster.nodes().map(({ pid }) => pid!), cluster.nats()!.pid!];
    for (const pid of pids) {
      const seen = await Promise.all(['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')));
      for (const secret of [...secrets, 'a secret of the environment', 'MILLRACE_NODE'])
        expect(seen.join('\n').includes(secret), `process ${pid}: ${seen[0]}`).toBe(false);
    }
    const logs = join(cluster.stateDir, 'logs');
    const lines = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
    for (const secret of secrets) expect(lines.some((text) => text.includes(secret))).toBe(false);
  });

  it('are refused to nobody who has them, and no node was refused anything of NATS', async () => {
    const logs = join(cluster.stateDir, 'logs');
    for (const name of readdirSync(logs)) expect(readFileSync(join(logs, name), 'utf8')).not.toMatch(/NATS refused/);
    const credentials = { authorization: `Basic ${Buffer.from(`reader:${readToken()}`).toString('base64')}` };
    const asked = await fetch(cluster.clickhouseUrl!, {
      method: 'POST',
      body: 'SELECT count() > 0 FROM steps',
      headers: credentials,
    });
    expect(await asked.text()).toBe('1\n');
  });
});

describe.skipIf(process.getuid?.() !== 0)('another account of this machine', () => {
  it('reads no file of the cluster', async () => {
    const files = ['.', 'admin.json', 'credentials/admin.token', 'nats/nats-server.conf', 'logs/store.log'];
    const script = `for (const path of process.argv.slice(1)) try { require('fs').accessSync(path, 4); console.log(path) } catch (e) { console.log(e.code) }`;
    expect(await asNobody(script, ...files.map((file) => join(cluster.stateDir, file)))).toBe(
      'EACCES\n'.repeat(files.length).trim(),
    );
  });

  it('publishes no job to NATS', async () => {
    const script = `
      const [port] = process.argv.slice(1);
      const socket = require('net').connect(Number(port), '127.0.0.1');
      let text = '';
      socket.on('data', (data) => (text += data));
      socket.on('close', () => console.log(/-ERR [^\\r]*/.exec(text)?.[0] ?? 'let in'));
      socket.on('error', () => {});
      socket.write('CONNECT {"verbose":false}\\r\\nPUB $KV.jobs.evil 2\\r\\n{}\\r\\nPING\\r\\n');
      setTimeout(() => socket.destroy(), 3000);`;
    expect(await asNobody(script, new URL(cluster.natsUrl).port)).toBe("-ERR 'Authorization Violation'");
    expect((await cluster.admin.listJobs({})).jobs.map(({ id }) => id)).toEqual(['thermostat-1']);
  });

  it('asks the ClickHouse port nothing', async () => {
    const script = `fetch(process.argv[1], { method: 'POST', body: 'SELECT 1' }).then(async (r) => console.log(r.status, await r.text()))`;
    expect(await asNobody(script, cluster.clickhouseUrl!)).toMatch(/^403 Code: 516\./);
  });
});

describe('gRPC', () => {
  it('wants its own token at every server: admin API, parameter server and store', async () => {
    const { nodes } = await cluster.admin.listNodes({});
    const addressOf = (id: string): string => nodes.find((node) => node.id === id)!.address;
    const config = { configJson: '{"name":"x","flow":"/x.ts"}' };
    const tokenOf = (name: string): string => readFileSync(join(cluster.stateDir, 'credentials', `${name}.token`), 'utf8').trim();
    const tokens = { admin: tokenOf('admin'), work: tokenOf('work'), store: tokenOf('store') };
    for (const token of [undefined, 'another token than that', ...Object.values(tokens)]) {
      const admin = createClient(AdminService, addressOf('coordinator'), { token });
      const store = createClient(StoreService, addressOf('store'), { token });
      const asked = [admin.createJob(config), store.prune({}), connectWork(addressOf('parameter-server'), { token })];
      const own = [tokens.admin, tokens.store, tokens.work];
      const codes = asked.map((answer) =>
        answer.then(
          () => 'done',
          (thrown: unknown) => MillraceError.from(thrown).code,
        ),
      );
      expect((await Promise.all(codes)).filter((code, i) => own[i] !== token && code !== 'unauthenticated')).toEqual([]);
      for (const client of [admin, store]) client.close();
    }
  });
});
