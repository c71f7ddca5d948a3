import { systemClock } from '../../src/clock/system.ts';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { MillraceError } from '../../src/errors.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { openCredentials, openNatsPasswords, type Credentials } from '../infra/credentials.ts';
import { makeStateFolder } from '../infra/state-folder.ts';
import type { NatsLogin } from '../runtime/settings/node.ts';
import { forgetAdminFile, writeAdminFile } from './admin-file.ts';
import { deferred } from './deferred.ts';
import { watchDisk } from './disk-watch.ts';
import { lockState } from './lock.ts';
import { confineStore, findDevices } from './machine.ts';
import { planNodes } from './plan.ts';
import { choosePorts } from './ports.ts';
import { ClusterProcesses, GIVE_UP_MS } from './processes.ts';
import { reportStart } from './starting.ts';

/** Options of {@link startEmbeddedCluster}. */
export interface EmbeddedOptions {
  /** What the cluster is; its state folder is made when missing. */
  config: ClusterConfig;
  /** Secrets to use in place of those kept in the state folder ({@link openCredentials}). */
  credentials?: Partial<Credentials>;
  log: Logger;
  /** Gives up starting when aborted: `cancelled`, with everything stopped again. A cluster that is up stays up. */
  signal?: AbortSignal;
  /** Called with what is being started, and what is in trouble later, in words. */
  onProgress?: (text: string) => void;
}

/** A cluster on this machine. */
export interface EmbeddedCluster {
  /** Address of the admin API. */
  address: string;
  /** Bearer token of the admin API; also in `admin.json` and `credentials/admin.token` of the state folder. */
  token: string;
  /** Where the gateway answers HTTP. Undefined without one. */
  gatewayUrl: string | undefined;
  /** Bearer token of the gateway, of scope `write`. */
  gatewayToken: string;
  natsUrl: string;
  /** Who may do everything on its own nats-server. Undefined with one that ran already. */
  natsAdmin: NatsLogin | undefined;
  /** Where the embedded engine answers as a ClickHouse server does. */
  clickhouseUrl: string | undefined;
  /** The processes as they are now; a killed one is started again under the same id. */
  nodes(): { id: string; roles: RoleName[]; pid: number | undefined; restarts: number }[];
  /** Its own nats-server, which is started again as nodes are. Undefined with one that ran already. */
  nats(): { pid: number | undefined; restarts: number } | undefined;
  /** Resolves when something is gone and cannot be started again (nats-server). */
  failed: Promise<MillraceError>;
  /** Stops every process this started; what they keep is in the state folder. */
  stop(): Promise<void>;
}

/** Starts nats-server and one process for each role (several for learners and rollouts), and restarts those that die. */
export async function startEmbeddedCluster(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { config, log, onProgress, signal } = options;
  const { stateDir } = config;
  makeStateFolder(stateDir);
  const unlock = await lockState(stateDir);
  forgetAdminFile(stateDir);
  const processes = new ClusterProcesses({ stateDir, log, onTrouble: onProgress });
  const startOver = reportStart({
    stateDir,
    clock: systemClock,
    waitsFor: () => processes.waitsFor(),
    tell: (text) => onProgress?.(text),
  });
  const unwatchDisk = watchDisk({ folder: stateDir, clock: systemClock, log, onChange: onProgress });
  const stop = async (timeoutMs?: number): Promise<void> => {
    unwatchDisk();
    forgetAdminFile(stateDir);
    await processes.stop(timeoutMs);
    await unlock();
  };
  const cancelled = deferred<never>();
  const cancel = (): void => cancelled.reject(new MillraceError('cancelled', 'Interrupted while the cluster was starting.'));
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    return { ...(await start(options, processes, cancelled.promise)), failed: processes.failed, stop: () => stop() };
  } catch (error) {
    // They hold no work yet.
    await stop(GIVE_UP_MS);
    throw error;
  } finally {
    startOver();
    signal?.removeEventListener('abort', cancel);
  }
}

/** Starts the processes; `cancelled` rejects when the start is to be given up. */
async function start(
  { config, credentials: given, log, onProgress }: EmbeddedOptions,
  processes: ClusterProcesses,
  cancelled: Promise<never>,
): Promise<Omit<EmbeddedCluster, 'failed' | 'stop'>> {
  const { stateDir } = config;
  const credentials = openCredentials(stateDir, given);
  const ports = await choosePorts(config);
  const passwords = config.nats.url === undefined ? openNatsPasswords(stateDir) : undefined;
  if (passwords) onProgress?.('starting nats-server');
  const natsUrl = passwords ? await processes.startNats(passwords) : config.nats.url!;
  const devices = await Promise.race([findDevices(config, log), cancelled]);
  const plan = planNodes({ config, credentials, natsUrl, passwords, ports, devices, inherited: process.env });
  onProgress?.(`starting ${plan.length} nodes`);
  const { nodes } = processes;
  // One node makes streams and buckets before the others look for them.
  const store = processes.startNode(plan[0]!, await confineStore(config, log));
  await Promise.race([store.ready, cancelled]);
  for (const node of plan.slice(1)) processes.startNode(node);
  await Promise.race([Promise.all(nodes.map(({ ready }) => ready)), cancelled]);
  const address = await nodes.find(({ roles }) => roles.includes('coordinator'))!.address();
  const { token } = credentials;
  writeAdminFile(stateDir, { address, token, tls: config.tls, pid: process.pid });
  const opened = store.clickhousePort;
  if (ports.clickhouse !== undefined && opened === undefined)
    onProgress?.("no ClickHouse interface: its port could not be opened; the store's log says why");
  return {
    address,
    token,
    gatewayToken: credentials.gatewayWriteToken,
    gatewayUrl: ports.gateway === undefined ? undefined : `${config.tls ? 'https' : 'http'}://127.0.0.1:${ports.gateway}`,
    natsUrl,
    natsAdmin: passwords && { identity: 'admin', password: passwords.admin },
    clickhouseUrl: opened === undefined ? undefined : `http://127.0.0.1:${opened}`,
    nats: () => processes.nats && { pid: processes.nats.pid, restarts: processes.nats.restarts },
    nodes: () => nodes.map(({ id, roles, pid, restarts }) => ({ id, roles: [...roles], pid, restarts })),
  };
}
