import type { Logger } from 'pino';
import type { Bus, ConsumeOptions } from '../../src/bus/bus.ts';
import { systemClock } from '../../src/clock/system.ts';
import type { ComputeInfo } from '../../src/compute/backend.ts';
import type { MillraceError } from '../../src/errors.ts';
import { LOOPBACK } from '../../src/http/listening.ts';
import { WORK_DURABLES } from '../../src/protocol/durables.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import type { RunningServer } from '../../src/rpc/server.ts';
import { monitorProcess } from '../../src/telemetry/process-stats.ts';
import { watchFlows } from '../flow-watch/watch.ts';
import { isWorker } from '../infra/nats/access.ts';
import { awaitTopology, startTopology } from '../infra/topology-start.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { announce, watchNodes, type NodeInfo } from '../runtime/nodes.ts';
import { roleNames, settingsOf, type NodeSettings } from '../runtime/settings/node.ts';
import type { NodeHistory } from '../runtime/settings/start.ts';
import { connectNode } from './connect.ts';
import { createContext } from './context.ts';
import type { NodeHealth } from './health.ts';
import { readNode } from './metrics.ts';
import { observeNode } from './observation.ts';
import type { NodeStart } from './role-start.ts';
import { startRole } from './roles.ts';
import { startLine } from './start-line.ts';

/** Roles that take long to start, with what they do meanwhile. */
const STEPS: Partial<Record<RoleName, string>> = { store: 'opening the database', coordinator: 'taking over jobs' };

/** How often a coordinator sees to the durables of workers. */
const DURABLES_MS = 5_000;

/** What each role gets to end in, also when those before it took longer than they should. */
const LEAST_STOP_MS = 500;

const FIRST: NodeHistory = { afterCrash: false, wasUp: false };

/** Options of {@link startNode}. */
export interface StartOptions {
  settings: NodeSettings;
  /** Default: it is the first process of this id. */
  history?: NodeHistory;
  log: Logger;
  /** Called with a few words on what the start does next. */
  onStep?: (step: string) => void;
  /** Called with what a person must learn, while the node goes on. */
  onTrouble?: (text: string) => void;
}

/** A running node. */
export interface RunningNode {
  /** gRPC address, '' when the roles serve nothing. */
  address: string;
  /** Port of the ClickHouse interface, where there is one. */
  clickhousePort: number | undefined;
  /** Resolves with the error when the node cannot continue (its connection is gone for good, an actor gave up). */
  failed: Promise<MillraceError>;
  /** Says in the notices of a job whose code threw an error that nobody caught. */
  uncaught(thrown: unknown): Promise<void>;
  /** Finishes what is in hand, or hands it back, within `timeoutMs` (default 5000) and little more. */
  stop(timeoutMs?: number): Promise<void>;
}

/**
 * On NATS servers of the user's own, only coordinators and stores create or change streams, whatever the login permits. On the cluster's own
 * server permissions decide. Workers on it cannot inspect streams, so they do not wait for them.
 */
function prepareTopology(bus: Bus, { settings, history = FIRST, log, onTrouble }: StartOptions): Promise<void> {
  const { nats, natsAccess } = settings;
  const decidedByServer = nats !== undefined && (natsAccess === undefined || isWorker(nats.identity));
  const makes = decidedByServer || roleNames(settings).some((role) => role === 'coordinator' || role === 'store');
  const options = { clock: systemClock, log, onTrouble };
  return makes ? startTopology(bus, { ...options, wasUp: history.wasUp }) : awaitTopology(bus, options);
}

/** One process of the cluster: connects to the bus, starts its roles, and tells the others that it is there. */
export async function startNode(given: StartOptions): Promise<RunningNode> {
  const { settings, history = FIRST, log, onTrouble } = given;
  const roles = roleNames(settings);
  const observation = await observeNode(settings);
  const { health, metrics, failed, fail } = observation;
  const options = showingSteps(given, health);
  options.onStep('connecting to NATS');
  const bus = await connectNode(settings, log);
  void bus.closed.then((error) => error && fail(error));
  options.onStep('making streams');
  await prepareTopology(bus, options);
  const context = await createContext(settings, { bus, clock: systemClock, log, metrics, fail });
  const flowWatch = runsFlows(roles) ? watchFlows(context, settings.stateDir, history.previousEnd) : undefined;
  // Every heartbeat of every node goes to those who follow them.
  const nodes = roles.includes('coordinator') ? await watchNodes(bus) : undefined;
  const compute = await chosenCompute(options);
  const { listening = LOOPBACK } = settings;
  const shared: NodeStart = { context, history, nodes, compute, listening, services: [], closers: [], onTrouble };
  shared.closers.push(() => context.tls?.close());
  // Workers wait for their durables and may not make them.
  if (nodes) shared.closers.push(systemClock.every(DURABLES_MS, () => void ensureAll(bus, WORK_DURABLES)));
  const started = await startRoles(options, shared);
  const server = await serve(shared.services, options, context);
  const address = server?.address ?? '';
  const stopReading = readNode(context, server);
  const metricsUrl = observation.url ?? started.find((role) => role.metricsUrl !== undefined)?.metricsUrl ?? '';
  const stats = monitorProcess();
  const fixed = { id: settings.id, roles, pid: process.pid, address, startedAt: systemClock.now() };
  const describe = (): NodeInfo => ({
    ...fixed,
    heartbeatAt: systemClock.now(),
    ...stats.read(),
    labels: labelsOf(started, compute, metricsUrl),
    actors: context.actors.list(),
  });
  const unannounce = await announce(bus, systemClock, describe, { onBeat: (taken) => health.heartbeat(taken) });
  health.running();
  log.info({ roles, address, metrics: metricsUrl }, 'node started');

  return {
    address,
    clickhousePort: started.find((role) => role.clickhousePort !== undefined)?.clickhousePort,
    failed,
    uncaught: (thrown) => flowWatch?.uncaught(thrown) ?? Promise.resolve(),
    async stop(timeoutMs = 5000) {
      health.draining();
      await unannounce();
      for (const close of shared.closers) close();
      const until = systemClock.monotonic() + timeoutMs;
      await server?.stop(Math.min(1000, timeoutMs));
      for (const role of started.reverse()) await role.stop(Math.max(LEAST_STOP_MS, until - systemClock.monotonic()));
      flowWatch?.close();
      stats.stop();
      stopReading();
      nodes?.close();
      context.jobs.close();
      await bus.close();
      await observation.close();
      log.info('node stopped');
    },
  };
}

/** The options of a start whose health says what it does. */
function showingSteps(given: StartOptions, health: NodeHealth): StartOptions & Required<Pick<StartOptions, 'onStep'>> {
  const onStep = (step: string): void => {
    health.starting(step);
    given.onStep?.(step);
  };
  return { ...given, onStep };
}

/** One after the other, in the order of the settings. */
async function startRoles({ settings, onStep }: StartOptions, shared: NodeStart): Promise<Role[]> {
  const started: Role[] = [];
  for (const section of settings.roles) {
    onStep?.(STEPS[section.role] ?? `starting role ${section.role}`);
    started.push(await startRole(section, shared));
  }
  return started;
}

const runsFlows = (roles: readonly RoleName[]): boolean => roles.includes('rollout') || roles.includes('reward');

/** What learners and rollouts compute with; undefined for nodes of other roles, which do not load tensorflow.js. */
async function chosenCompute({ settings, log, onStep }: StartOptions): Promise<ComputeInfo | undefined> {
  const [learner, rollout] = [settingsOf(settings, 'learner'), settingsOf(settings, 'rollout')];
  if (!learner && !rollout) return undefined;
  onStep?.('choosing a compute backend');
  const { initCompute } = await import('../../src/compute/backend.ts');
  const compute = await initCompute({ preferred: learner?.backend ?? rollout?.backend });
  log.info(...startLine(compute, learner?.gpu));
  return compute;
}

/** The gRPC server of the roles; undefined when none serves anything. */
async function serve(
  services: readonly ServiceRegistration[],
  { settings, log }: StartOptions,
  { tls }: Pick<NodeContext, 'tls'>,
): Promise<RunningServer | undefined> {
  if (services.length === 0) return undefined;
  const { startServer } = await import('../../src/rpc/server.ts');
  const { grpcPort: port = 0, listening: { bind: host, advertise } = LOOPBACK } = settings;
  return startServer({ host, advertise, port, services, log, tls });
}

function labelsOf(roles: readonly Role[], compute: ComputeInfo | undefined, metrics: string): Record<string, string> {
  return {
    ...(compute && { backend: compute.backend, device: compute.device, gflops: compute.gflops.toFixed(1) }),
    metrics,
    ...Object.fromEntries(roles.flatMap((role) => Object.entries(role.labels ?? {}))),
  };
}

/** Where that fails, the next turn tries again. */
async function ensureAll(bus: Bus, durables: readonly ConsumeOptions[]): Promise<void> {
  for (const durable of durables) await bus.ensureDurable(durable).catch(() => {});
}
