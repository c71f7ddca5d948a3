import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '../src/errors.ts';
import type { Logger, LogLevel } from '../src/telemetry/log.ts';
import type { RoleName } from './context.ts';
import { startNatsServer, type NatsServerProcess } from './nats-server.ts';
import { superviseNode, type SupervisedNode } from './up/child.ts';
import { freePort } from './up/free-port.ts';
import { lockState, NATS_FOLDER } from './up/lock.ts';

/** Options of {@link startEmbeddedCluster}. */
export interface EmbeddedOptions {
  /** Everything the cluster keeps: JetStream's files, the database, checkpoints, logs. Created when missing. */
  stateDir: string;
  /** Learner processes. Default 2. */
  learners?: number;
  /** Rollout processes. Default 2. */
  rollouts?: number;
  /** Reward processes. Default 1. */
  rewards?: number;
  /** Port of the admin API. Default 0: a free one. */
  port?: number;
  token?: string | undefined;
  /** ClickHouse server instead of the embedded engine, as for `CLICKHOUSE_URL`. */
  clickhouse?: { url: string; username?: string; password?: string; database?: string } | undefined;
  /** A NATS server that runs already, instead of one of our own. */
  natsUrl?: string | undefined;
  logLevel?: LogLevel;
  log: Logger;
  /** Told in words what is being started. */
  onProgress?: (text: string) => void;
}

/** A cluster on this machine. */
export interface EmbeddedCluster {
  /** Address of the admin API. */
  address: string;
  natsUrl: string;
  /** The processes as they are now; a killed one is started again under the same id. */
  nodes(): { id: string; roles: RoleName[]; pid: number | undefined; restarts: number }[];
  natsPid: number | undefined;
  /** Resolves when something that cannot be restarted is gone (nats-server). */
  failed: Promise<MillraceError>;
  /** Stops every process this started; what they keep is in `stateDir`. */
  stop(): Promise<void>;
}

/** File in the state folder that tells clients where the admin API is. */
export const ADMIN_FILE = 'admin.json';

/** Starts nats-server and one process for each role (several for learners and rollouts), and restarts those that die. */
export async function startEmbeddedCluster(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { stateDir, log, onProgress } = options;
  await mkdir(join(stateDir, 'logs'), { recursive: true });
  const unlock = await lockState(stateDir);
  let nats: NatsServerProcess | undefined;
  const children: SupervisedNode[] = [];
  let fail = (_: MillraceError): void => {};
  const failed = new Promise<MillraceError>((resolve) => (fail = resolve));
  let stopping = false;

  const stop = async (): Promise<void> => {
    stopping = true;
    await rm(join(stateDir, ADMIN_FILE), { force: true });
    // Those that produce go first, so that what they made is still taken in.
    const order: RoleName[] = ['coordinator', 'rollout', 'learner', 'reward', 'parameter-server', 'store'];
    for (const role of order)
      await Promise.all(children.filter((child) => child.roles.includes(role)).map((child) => child.stop()));
    await nats?.stop();
    await unlock();
  };

  try {
    if (options.natsUrl === undefined) {
      onProgress?.('starting nats-server');
      nats = await startNatsServer({ storeDir: join(stateDir, NATS_FOLDER) });
      void nats.exited.then(({ code, signal }) => {
        if (!stopping)
          fail(
            new MillraceError(
              'unavailable',
              `nats-server ended by itself (${signal ?? `exit code ${code}`}); start again to go on.`,
            ),
          );
      });
    }
    const natsUrl = options.natsUrl ?? nats!.url;
    const base = {
      natsUrl,
      stateDir,
      token: options.token,
      clickhouse: options.clickhouse,
      logLevel: options.logLevel ?? 'info',
    };
    // Chosen here, so that a coordinator that is started again answers where the last one did.
    const adminPort = options.port || (await freePort());
    const plan: { id: string; role: RoleName; port?: number }[] = [
      { id: 'store', role: 'store' },
      { id: 'coordinator', role: 'coordinator', port: adminPort },
      { id: 'parameter-server', role: 'parameter-server' },
      ...count('learner', options.learners ?? 2),
      ...count('rollout', options.rollouts ?? 2),
      ...count('reward', options.rewards ?? 1),
    ];
    onProgress?.(`starting ${plan.length} nodes`);
    // One node makes streams and buckets before the others look for them.
    for (const { id, role, port } of plan) {
      children.push(superviseNode({ ...base, id, roles: [role], port, log }));
      if (role === 'store') await children[0]!.ready;
    }
    await Promise.all(children.map((child) => child.ready));
    const address = await children.find((child) => child.id === 'coordinator')!.address();
    const admin = { address, ...(options.token !== undefined && { token: options.token }) };
    await writeFile(join(stateDir, ADMIN_FILE), JSON.stringify(admin), { mode: 0o600 });
    return {
      address,
      natsUrl,
      natsPid: nats?.pid,
      nodes: () => children.map(({ id, roles, pid, restarts }) => ({ id, roles: [...roles], pid, restarts })),
      failed,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function count(role: RoleName, n: number): { id: string; role: RoleName }[] {
  return Array.from({ length: n }, (_, i) => ({ id: `${role}-${i + 1}`, role }));
}
