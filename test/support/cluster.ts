import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedCluster, type EmbeddedCluster } from '../../cluster/up/index.ts';
import { clusterConfigSchema, type ClusterConfig } from '../../src/config/cluster.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { AdminService, JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { collectQuery } from '../../cluster/admin/query-rows.ts';
import { temporaryFolder } from './thermostat.ts';

/** A cluster of real processes in a folder of its own, with a client. */
export interface TestCluster extends EmbeddedCluster {
  admin: ServiceClient<typeof AdminService>;
  stateDir: string;
  createJob(config: JobConfig, options?: { owner?: string }): Promise<Job>;
  /** Waits until `done` holds for the job; fails when it ends before. */
  until(job: string, done: (job: Job) => boolean, timeoutMs?: number): Promise<Job>;
  /** Waits for its end. */
  ended(job: string, timeoutMs?: number): Promise<Job>;
  rows(sql: string): Promise<unknown[][]>;
  /** Kills the process of a node outright and returns its pid. */
  kill(node: string): number;
  /** Sends a signal to the process of a node and returns its pid. */
  signal(node: string, signal: NodeJS.Signals): number;
  /** Stops everything and removes the folder. Fails when one of the processes is left running, or NATS refused it something. */
  end(options?: { keep?: boolean }): Promise<void>;
}

/** Options of {@link startTestCluster}. */
export interface TestClusterOptions {
  learners?: number;
  rollouts?: number;
  /** Named parameter-server-1 and so on where there are several. Default: one, named parameter-server. */
  parameterServers?: number;
  /** Port of its ClickHouse interface. Default: none. */
  clickhousePort?: number;
  /** Port of its gateway; 0 is a free one. Default: no gateway. */
  gatewayPort?: number;
  /** Jobs that run at the same time. Default: as many as the cluster can bear. */
  maxRunning?: number;
  /** Where the gateway sends calls of models. */
  providers?: ClusterConfig['providers'];
  /** What calls cost, and owners may spend. */
  money?: Pick<ClusterConfig, 'budgets' | 'prices'>;
  /** NATS servers that run already. Default: one of its own. */
  nats?: ClusterConfig['nats'];
  /** Where bundles and checkpoints are kept. Default: its folder. */
  artifacts?: ClusterConfig['artifacts'];
  /** An earlier cluster's folder. */
  stateDir?: string;
}

export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const folder = options.stateDir === undefined ? await temporaryFolder() : { path: options.stateDir, remove: removeNothing };
  const {
    learners = 2,
    rollouts = 2,
    parameterServers = 1,
    clickhousePort = 'off',
    gatewayPort = 'off',
    maxRunning = 'auto',
    money = {},
    providers = {},
    artifacts = {},
    nats = {},
  } = options;
  const cluster = await startEmbeddedCluster({
    config: clusterConfigSchema.parse({
      stateDir: folder.path,
      learners,
      rollouts,
      parameterServers,
      ports: { clickhouse: clickhousePort, gateway: gatewayPort },
      scheduler: { maxRunning },
      artifacts,
      nats,
      providers,
      ...money,
    }),
    log: silentLogger(),
  });
  const admin = createClient(AdminService, cluster.address, { token: cluster.token });
  const pids = new Set<number>();
  const remember = (): void => {
    for (const { pid } of cluster.nodes()) if (pid !== undefined) pids.add(pid);
    const natsPid = cluster.nats()?.pid;
    if (natsPid !== undefined) pids.add(natsPid);
  };
  remember();

  const until = async (jobId: string, done: (job: Job) => boolean, timeoutMs = 120_000): Promise<Job> => {
    const deadline = Date.now() + timeoutMs;
    let last: Job | undefined;
    while (Date.now() < deadline) {
      // The coordinator may be the one that was killed: ask again.
      last = (await admin.getJob({ jobId }, { timeoutMs: 5000 }).catch(() => undefined))?.job ?? last;
      remember();
      if (last && done(last)) return last;
      if (last && isOver(last)) throw new Error(`job ${jobId} ended as ${JobState[last.state]}: ${last.error}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { progress, waitingFor } = last ?? {};
    throw new Error(`job ${jobId} did not get there in ${timeoutMs} ms: round ${progress?.round}, waiting for ${waitingFor}`);
  };

  const signal = (id: string, name: NodeJS.Signals): number => {
    const pid = cluster.nodes().find((node) => node.id === id)?.pid;
    if (pid === undefined) throw new Error(`node ${id} does not run`);
    process.kill(pid, name);
    return pid;
  };

  return {
    ...cluster,
    admin,
    stateDir: folder.path,
    until,
    createJob: async (config, { owner = '' } = {}) => (await admin.createJob({ configJson: JSON.stringify(config), owner })).job!,
    ended: (job, timeoutMs) => until(job, isOver, timeoutMs),
    rows: async (sql) => (await collectQuery(admin.query({ sql }))).rows,
    kill: (id) => signal(id, 'SIGKILL'),
    signal,
    async end({ keep = false } = {}) {
      remember();
      admin.close();
      await cluster.stop();
      const refused = await refusals(folder.path);
      if (!keep) await folder.remove();
      const left = await Promise.all([...pids].map(stillRuns));
      const running = [...pids].filter((_, i) => left[i]);
      if (refused.length > 0) throw new Error(`cluster/infra/nats/access.ts lacks something: ${refused.join('\n')}`);
      if (running.length > 0) throw new Error(`processes left running: ${running.join(', ')}`);
    },
  };
}

/** Lines of the nodes' logs about what their identities lack a permission for. */
async function refusals(stateDir: string): Promise<string[]> {
  const folder = join(stateDir, 'logs');
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return files.flatMap((text) => text.split('\n').filter((line) => line.includes('NATS refused this node')));
}

const removeNothing = (): Promise<void> => Promise.resolve();

function isOver({ state }: Job): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

async function stillRuns(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes('cluster/node/main') || command.includes('nats-server');
}

/** Requests of a job and how many of them have ended in one of the four ways. */
export function books(job: Job): {
  requests: number;
  trained: number;
  filtered: number;
  expired: number;
  failed: number;
  ended: number;
} {
  const { ledger, requests } = job.progress!;
  const [trained, filtered, expired, failed] = [ledger!.trained, ledger!.filtered, ledger!.expired, ledger!.failed].map(
    Number,
  ) as [number, number, number, number];
  return { requests: Number(requests), trained, filtered, expired, failed, ended: trained + filtered + expired + failed };
}
