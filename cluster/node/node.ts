import { ActorSystem } from '../../src/actor/system.ts';
import type { Bus, ConsumeOptions } from '../../src/bus/bus.ts';
import { connectBus, type ConnectOptions } from '../../src/protocol/connect.ts';
import { BusWeightChannel } from '../../src/weights/bus-weight-channel.ts';
import { systemClock } from '../../src/clock/system.ts';
import type { MillraceError } from '../../src/errors.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { serveMetrics } from '../../src/telemetry/metrics-server.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { monitorProcess } from '../../src/telemetry/process-stats.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import { artifactsOf } from '../jobs/artifacts.ts';
import { jobBundles } from '../jobs/bundles.ts';
import { watchFlows } from '../flow-watch/watch.ts';
import { openJobDirectory } from '../jobs/directory.ts';
import { jobNotices } from '../jobs/notices.ts';
import { createJobRuntimes } from '../jobs/runtime.ts';
import { readNode, boundSeries } from './metrics.ts';
import { inboxPrefix, isWorker, WORKER_API } from '../infra/nats/access.ts';
import { WORK_DURABLES } from '../../src/protocol/durables.ts';
import { announce, watchNodes, type NodeInfo } from '../runtime/nodes.ts';
import type { NodeOptions } from './options.ts';
import { startRole } from './roles.ts';
import { startTopology } from '../infra/topology-start.ts';
import { startLine } from './start-line.ts';
import type { NatsLogin } from '../runtime/ipc.ts';

/** What takes long in starting a role. */
const STEPS: Partial<Record<RoleName, string>> = { store: 'opening the database', coordinator: 'taking over jobs' };

/** A killed node's jobs are taken over after at most this long; nobody's event loop stands still for a third of it. */
const LEASE_TTL_MS = 5_000;
/** How often a coordinator sees to the durables of workers. */
const DURABLES_MS = 5_000;

/** A running node. */
export interface RunningNode {
  /** gRPC address, '' when the roles serve nothing. */
  address: string;
  /** Port of the ClickHouse interface, where there is one. */
  clickhousePort: number | undefined;
  /** Resolves with the error when the node cannot go on (its connection is gone for good, an actor gave up). */
  failed: Promise<MillraceError>;
  /** Says in the notices of a job whose code threw an error that nobody caught. */
  uncaught(thrown: unknown): Promise<void>;
  stop(timeoutMs?: number): Promise<void>;
}

/** Where that fails, the next turn tries again. */
async function ensureAll(bus: Bus, durables: readonly ConsumeOptions[]): Promise<void> {
  for (const durable of durables) await bus.ensureDurable(durable).catch(() => {});
}

/** What an identity connects with. */
export function loginOf({
  identity,
  password,
}: NatsLogin): Pick<ConnectOptions, 'user' | 'password' | 'inboxPrefix' | 'worker' | 'apiPrefix'> {
  const worker = isWorker(identity);
  return { user: identity, password, inboxPrefix: inboxPrefix(identity), worker, ...(worker && { apiPrefix: WORKER_API }) };
}

/** One process of the cluster: connects to the bus, starts its roles, and tells the others that it is there. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { id, roles, log, onStep = () => {} } = options;
  let fail = (_: MillraceError): void => {};
  const failed = new Promise<MillraceError>((resolve) => (fail = resolve));
  const clock = systemClock;
  onStep('connecting to NATS');
  const bus = await connectBus({
    servers: options.natsUrl,
    name: id,
    leaseTtlMs: LEASE_TTL_MS,
    durables: WORK_DURABLES,
    ...(options.nats && loginOf(options.nats)),
    onRefused: (err) => log.error({ err }, 'NATS refused this node something: its identity lacks a permission'),
  });
  void bus.closed.then((error) => error && fail(error));
  onStep('making streams');
  await startTopology(bus, { clock, log, wasUp: options.wasUp, onTrouble: options.onTrouble });
  // Another one than the heartbeats': each reading begins a new window.
  const scraped = monitorProcess();
  const metrics = createMetrics({ node: id, role: roles.join('+'), monitor: scraped });
  const artifacts = artifactsOf(options.stateDir);
  const bundles = jobBundles(options.stateDir, artifacts);
  const context: NodeContext = {
    id,
    bus,
    weights: new BusWeightChannel(bus, { clock }),
    clock,
    log,
    metrics,
    actors: new ActorSystem({ node: id, clock, log, onFailed: (_, error) => fail(error) }),
    jobs: await openJobDirectory(bus, (job) => log.error(job, 'a job record cannot be read; it is left alone')),
    notices: jobNotices({ bus, clock, node: id, log }),
    runtimes: createJobRuntimes(undefined, bundles),
    bundles,
    artifacts,
    stateDir: options.stateDir,
    outside: (work) => work,
  };
  const runsFlows = roles.includes('rollout') || roles.includes('reward');
  const flowWatch = runsFlows ? watchFlows(context, options.stateDir, options.previousEnd) : undefined;
  // Every heartbeat of every node goes to those who follow them.
  const nodes = roles.includes('coordinator') ? await watchNodes(bus) : undefined;
  onStep('choosing a compute backend');
  const computes = roles.includes('rollout') || roles.includes('learner');
  // Modules of the roles at hand only: all of them take a second to load, and every process would.
  const compute = computes
    ? await (await import('../../src/compute/backend.ts')).initCompute({ preferred: options.backend })
    : undefined;
  if (compute) log.info(...startLine(compute, options.gpu));

  const started: Role[] = [];
  const services: ServiceRegistration[] = [];
  const closers: (() => void)[] = [];
  // Workers wait for their durables and may not make them.
  if (roles.includes('coordinator')) closers.push(clock.every(DURABLES_MS, () => void ensureAll(bus, WORK_DURABLES)));
  for (const role of roles) {
    onStep(STEPS[role] ?? `starting role ${role}`);
    started.push(await startRole(role, { context, options, nodes, compute, services, closers }));
  }

  let server: RunningServer | undefined;
  if (services.length > 0) {
    const { startServer } = await import('../../src/rpc/server.ts');
    server = await startServer({ port: options.port ?? 0, services, token: options.token, log });
  }
  const address = server?.address ?? '';
  readNode(context, server);
  const stopForgetting = boundSeries(context);
  const scrapes = await serveMetrics(metrics, options.metricsPort);
  const stats = monitorProcess();
  const startedAt = clock.now();
  const describe = (): NodeInfo => ({
    id,
    roles: [...roles],
    pid: process.pid,
    address,
    startedAt,
    heartbeatAt: clock.now(),
    ...stats.read(),
    labels: {
      ...(compute && { backend: compute.backend, device: compute.device, gflops: compute.gflops.toFixed(1) }),
      metrics: scrapes.url,
      ...Object.fromEntries(started.flatMap((role) => Object.entries(role.labels ?? {}))),
    },
    actors: context.actors.list(),
  });
  const unannounce = await announce(bus, clock, describe);
  log.info({ roles, address, metrics: scrapes.url }, 'node started');

  return {
    address,
    clickhousePort: started.find((role) => role.clickhousePort !== undefined)?.clickhousePort,
    failed,
    uncaught: (thrown) => flowWatch?.uncaught(thrown) ?? Promise.resolve(),
    async stop(timeoutMs = 5000) {
      await unannounce();
      for (const close of closers) close();
      await server?.stop(Math.min(1000, timeoutMs));
      for (const role of started.reverse()) await role.stop(timeoutMs);
      flowWatch?.close();
      stats.stop();
      stopForgetting();
      await scrapes.close();
      scraped.stop();
      nodes?.close();
      context.jobs.close();
      await bus.close();
      log.info('node stopped');
    },
  };
}
