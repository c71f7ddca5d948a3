import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { systemClock } from '../../src/clock/system.ts';
import { missingBinding } from '../../src/compute/tensorflow/binding.ts';
import { MillraceError } from '../../src/errors.ts';
import { storeConfinement } from '../../src/store/confinement/confine.ts';
import type { ServerStoreOptions } from '../../src/store/server.ts';
import type { Retention } from '../../src/store/retention.ts';
import type { Logger, LogLevel } from '../../src/telemetry/log.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import { forgetAdminFile, writeAdminFile } from './admin-file.ts';
import { openCredentials, openNatsPasswords, type Credentials } from '../infra/credentials.ts';
import { superviseNode, type SupervisedNode } from './child.ts';
import { deferred } from './deferred.ts';
import { watchDisk } from './disk-watch.ts';
import { freePort } from './free-port.ts';
import { findGpus } from '../infra/gpus.ts';
import { usesGpus, type Devices } from './learners.ts';
import { lockState, NATS_FOLDER } from './lock.ts';
import { keepNatsServer, type KeptNatsServer } from './nats-keeper.ts';
import { planNodes } from './plan.ts';
import type { NatsLogin, NodeSettings } from '../runtime/ipc.ts';
import { reportStart } from './starting.ts';
import { makeStateFolder } from '../infra/state-folder.ts';

/** Options of {@link startEmbeddedCluster}. */
export interface EmbeddedOptions {
  /** Everything the cluster keeps: JetStream's files, the database, checkpoints, logs. Created when missing. */
  stateDir: string;
  /** Learner processes; `auto` is one for each GPU, and where there is none one for each core. Default 2. */
  learners?: number | 'auto';
  /** Cores that `auto` counts on. Default `auto`: all of the machine. */
  cores?: number | 'auto';
  /** Compute backend to insist on. Default: the best that works, in each process. */
  backend?: string | undefined;
  /** Rollout processes. Default 2. */
  rollouts?: number;
  /** Reward processes. Default 1. */
  rewards?: number;
  /** Port of the admin API. Default 0: a free one. */
  port?: number;
  /** Secrets to use in place of those kept in the state folder ({@link openCredentials}). */
  credentials?: Partial<Credentials>;
  /** Port of the embedded engine's ClickHouse interface; `auto` is 8123 or, when that is taken, a free one. Default `off`. */
  clickhousePort?: number | 'auto' | 'off';
  /** ClickHouse server instead of the embedded engine, as for `CLICKHOUSE_URL`. */
  clickhouse?: ServerStoreOptions | undefined;
  /** How long the store keeps rows. Default: for ever. */
  retention?: Retention | undefined;
  /** A NATS server that runs already, instead of one of our own. */
  natsUrl?: string | undefined;
  logLevel?: LogLevel;
  log: Logger;
  /** Gives up starting when aborted: `cancelled`, with everything stopped again. A cluster that is up stays up. */
  signal?: AbortSignal;
  /** Told in words what is being started, and what is in trouble later. */
  onProgress?: (text: string) => void;
}

/** A cluster on this machine. */
export interface EmbeddedCluster {
  /** Address of the admin API. */
  address: string;
  /** Bearer token of its gRPC; also in `admin.json` and `credentials/admin.token` of the state folder. */
  token: string;
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
  /** Stops every process this started; what they keep is in `stateDir`. */
  stop(): Promise<void>;
}

/** What nodes get to end in when nats-server is gone: they have nobody to hand their work back to. */
const GIVE_UP_MS = 1_000;

/** Starts nats-server and one process for each role (several for learners and rollouts), and restarts those that die. */
export async function startEmbeddedCluster(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const { stateDir, log, onProgress } = options;
  makeStateFolder(stateDir);
  const unlock = await lockState(stateDir);
  forgetAdminFile(stateDir);
  const credentials = openCredentials(stateDir, options.credentials);
  let nats: KeptNatsServer | undefined;
  const children: SupervisedNode[] = [];
  const startOver = reportStart({
    stateDir,
    clock: systemClock,
    waitsFor: () => notUp(children),
    tell: (text) => onProgress?.(text),
  });
  let fail = (_: MillraceError): void => {};
  const failed = new Promise<MillraceError>((resolve) => (fail = resolve));
  let natsGone = false;
  const { signal } = options;
  const cancelled = deferred<never>();
  const cancel = (): void => cancelled.reject(new MillraceError('cancelled', 'Interrupted while the cluster was starting.'));
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });

  const unwatchDisk = watchDisk({ folder: stateDir, clock: systemClock, log, onChange: onProgress });
  const stop = async (timeoutMs?: number): Promise<void> => {
    unwatchDisk();
    forgetAdminFile(stateDir);
    if (natsGone) await Promise.all(children.map((child) => child.stop(GIVE_UP_MS)));
    // Those that produce go first, so that what they made is still taken in.
    const order: RoleName[] = ['coordinator', 'rollout', 'learner', 'reward', 'parameter-server', 'store'];
    for (const role of order)
      await Promise.all(children.filter((child) => child.roles.includes(role)).map((child) => child.stop(timeoutMs)));
    await nats?.stop();
    await unlock();
  };

  try {
    const passwords = options.natsUrl === undefined ? openNatsPasswords(stateDir) : undefined;
    if (passwords !== undefined) {
      onProgress?.('starting nats-server');
      nats = await keepNatsServer({ storeDir: join(stateDir, NATS_FOLDER), passwords, log, onTrouble: onProgress });
      void nats.failed.then((error) => {
        natsGone = true;
        fail(new MillraceError('unavailable', `nats-server cannot be started again: ${error.message}`, { cause: error }));
      });
    }
    const natsUrl = options.natsUrl ?? nats!.url;
    const base = {
      natsUrl,
      stateDir,
      clickhouse: options.clickhouse,
      retention: options.retention,
      logLevel: options.logLevel ?? 'info',
    };
    // Chosen here, so that a coordinator that is started again answers where the last one did.
    const adminPort = await adminPortOf(options);
    const devices = await Promise.race([findDevices(options.backend, log), cancelled.promise]);
    const clickhousePort = await wantedClickHousePort(options);
    const plan = planNodes({ ...options, adminPort, clickhousePort }, devices, process.env);
    onProgress?.(`starting ${plan.length} nodes`);
    // One node makes streams and buckets before the others look for them.
    for (const { role, ...node } of plan) {
      const through = role === 'store' ? await confineStore(options) : undefined;
      const secrets = {
        ...secretsOf(role, credentials),
        ...(passwords && { nats: { identity: role, password: passwords[role] } }),
      };
      children.push(
        superviseNode({ ...base, ...secrets, ...node, roles: [role], log, onTrouble: onProgress, ...(through && { through }) }),
      );
      if (role === 'store') await Promise.race([children[0]!.ready, cancelled.promise]);
    }
    await Promise.race([Promise.all(children.map((child) => child.ready)), cancelled.promise]);
    const address = await children.find((child) => child.id === 'coordinator')!.address();
    writeAdminFile(stateDir, { address, token: credentials.token, pid: process.pid });
    const opened = children[0]!.clickhousePort;
    if (clickhousePort !== undefined && opened === undefined)
      onProgress?.("no ClickHouse interface: its port could not be opened; the store's log says why");
    return {
      address,
      token: credentials.token,
      natsUrl,
      natsAdmin: passwords && { identity: 'admin', password: passwords.admin },
      clickhouseUrl: opened === undefined ? undefined : `http://127.0.0.1:${opened}`,
      nats: () => nats && { pid: nats.pid, restarts: nats.restarts },
      nodes: () => children.map(({ id, roles, pid, restarts }) => ({ id, roles: [...roles], pid, restarts })),
      failed,
      stop: () => stop(),
    };
  } catch (error) {
    // They hold no work yet.
    await stop(GIVE_UP_MS);
    throw error;
  } finally {
    startOver();
    signal?.removeEventListener('abort', cancel);
  }
}

/** What a role needs of the secrets; rollouts and rewards, which run flows, need none of these. */
function secretsOf(role: RoleName, { token, readToken, writeToken }: Credentials): Partial<NodeSettings> {
  if (role === 'rollout' || role === 'reward') return {};
  return { token, ...(role === 'store' && { clickhouseReadToken: readToken, clickhouseWriteToken: writeToken }) };
}

/**
 * What the store node is to open, which alone can know that it got it; undefined for nothing. A port that is taken is told here,
 * before anything runs.
 */
async function wantedClickHousePort(options: EmbeddedOptions): Promise<number | 'auto' | undefined> {
  const { clickhousePort = 'off', clickhouse } = options;
  if (clickhousePort === 'off' || clickhouse !== undefined) return undefined;
  if (clickhousePort === 'auto' || clickhousePort === 0) return clickhousePort;
  await requireFree(clickhousePort, "ClickHouse's HTTP interface", 'ports.clickhouse', 'auto for a free one, or off');
  return clickhousePort;
}

async function adminPortOf({ port = 0 }: EmbeddedOptions): Promise<number> {
  if (port === 0) return freePort();
  await requireFree(port, 'the admin API', 'ports.admin', '0 for a free one');
  return port;
}

async function requireFree(port: number, what: string, field: string, others: string): Promise<void> {
  if ((await freePort(port)) === port) return;
  const advice = `end what listens there, or set ${field} to another one, ${others}`;
  throw new MillraceError('failed_precondition', `port ${port} for ${what} is taken; ${advice}`, { field });
}

/** What a start waits for, in words. */
function notUp(children: readonly SupervisedNode[]): string[] {
  const waiting = children.flatMap(({ id, step }) => (step === undefined ? [] : [`${id} (${step})`]));
  return children.length === 0 ? ['nats-server'] : waiting;
}

/** The command that the store's process is started through; a line in the log where it can reach every file of this user. */
async function confineStore({ stateDir, clickhouse, log }: EmbeddedOptions): Promise<readonly string[] | undefined> {
  // With a server there is no engine in the process, and nothing that SQL could reach.
  if (clickhouse !== undefined) return undefined;
  const confinement = await storeConfinement(resolve(stateDir));
  if (confinement.prefix === undefined) {
    log.warn(`the store's process is not confined to its own files: ${confinement.reason}`);
    return undefined;
  }
  log.info("the store's process is confined to its own files (Landlock)");
  return confinement.prefix;
}

/** What this machine has for learners; a line in the log when it has GPUs that cannot be used. */
async function findDevices(backend: string | undefined, log: Logger): Promise<Devices> {
  const missing = missingBinding(true);
  const devices = { gpus: await findGpus(), gpuBackend: missing === undefined, cores: availableParallelism() };
  if (devices.gpus.length > 0 && !usesGpus({ backend }, devices)) {
    const reason = backend === undefined ? missing : `the backend is set to ${backend}`;
    log.warn({ gpus: devices.gpus }, `${devices.gpus.length} GPUs are not used: ${reason}`);
  }
  return devices;
}
