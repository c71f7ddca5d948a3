import type { SchedulerConfig } from '../../src/config/scheduler.ts';
import type { ComputeInfo } from '../../src/compute/backend.ts';
import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { Link } from '../../src/rpc/link.ts';
import { silentLogger, type Logger } from '../../src/telemetry/log.ts';
import { countIn } from '../serial/count-stored.ts';
import { memoryContext } from '../serial/context.ts';
import type { MoneySettings } from '../coordinator/budget-keeper.ts';
import { startCoordinator } from '../coordinator/index.ts';
import type { JobRuntimes } from '../jobs/runtime.ts';
import { startLearner } from '../learner/index.ts';
import { startParameterServer } from '../parameter-server/index.ts';
import { startReward } from '../reward/index.ts';
import { startRollout } from '../rollout/index.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { announce, findNodes, type NodeInfo } from '../runtime/nodes.ts';
import { startStore } from '../store/index.ts';
import { Life } from './life.ts';
import { SimulatedBus } from './ports/bus.ts';
import { simulatedFiles } from './ports/files.ts';
import { SimulatedClock } from './ports/clock.ts';
import { SimulatedStore } from './ports/store.ts';
import { STATE_DIR } from './state-dir.ts';
import type { World } from './world.ts';

const SILENT = silentLogger();
/** Decisions in a learner's micro-batch. */
const MAX_DECISIONS = 512;
/** Twice what it is elsewhere: most of a run is waiting, and heartbeats would be a third of its events. Three of them fit into a node's life. */
const HEARTBEAT_MS = 4_000;
/** How often coordinators look for streams that are gone, in ms; each look is several calls. */
const LOOK_MS = 5_000;

/** What the processes of a simulated cluster share besides the world. */
export interface ProcessOptions {
  world: World;
  compute: ComputeInfo;
  /** Flows that were loaded before the run: loading a module takes real time. */
  runtimes: JobRuntimes;
  /** Which jobs run at the same time. Default: that of a cluster. */
  scheduler?: SchedulerConfig | undefined;
  /** What calls cost, and owners may spend. Default: calls are free. */
  money?: MoneySettings | undefined;
  log?: Logger;
  /** Connects a learner to the process that has this address. Throws `unavailable` when there is none. */
  connect: (from: Life, address: string) => Link<WorkResponse, WorkRequest>;
}

/** One process of a simulated cluster: production code of one role over simulated ports. */
export interface SimulatedProcess {
  readonly life: Life;
  readonly clock: SimulatedClock;
  readonly bus: SimulatedBus;
  readonly role: RoleName;
  /** Its context and role, once it has started. */
  readonly started: Promise<{ context: NodeContext; role: Role }>;
  /** Its actors, once it has a context. */
  actors(): readonly { address: string; state: string }[];
  /** Of parameter servers: takes a learner's end of a connection. */
  accept(link: Link<WorkRequest, WorkResponse>): void;
  /** Ends as on SIGTERM. */
  stop(): Promise<void>;
}

/** Starts a process; what its start throws ends it, as it does everywhere. */
export function startProcess(
  { node, role, number, afterCrash }: { node: string; role: RoleName; number: number; afterCrash: boolean },
  options: ProcessOptions,
): SimulatedProcess {
  const { world } = options;
  const life = new Life(node, number);
  world.recorder.note(node, 'start', life.id);
  const clock = new SimulatedClock(world.clock, life, { rate: world.faults.clockRate(node) });
  const bus = new SimulatedBus(world, life);
  let server: Awaited<ReturnType<typeof startParameterServer>> | undefined;
  let stopped: Promise<void> | undefined;
  let context: NodeContext | undefined;
  let unannounce: (() => Promise<void>) | undefined;

  const start = async (): Promise<{ context: NodeContext; role: Role }> => {
    // Whoever supervises it knows of it before anything can happen to it.
    await Promise.resolve();
    await bus.ensureTopology();
    const made = await memoryContext(node, {
      bus,
      clock,
      random: world.random.fork(life.id),
      log: options.log ?? SILENT,
      stateDir: STATE_DIR,
      files: simulatedFiles(world, life),
      // Flows are loaded before a run, and files are in memory: nothing takes real time.
      outside: (work) => work,
      runtimes: options.runtimes,
    });
    context = made;
    const started = await startRole(role, made, { ...options, life, afterCrash, onServer: (started) => (server = started) });
    const startedAt = clock.now();
    unannounce = await announce(bus, clock, () => describe(node, role, startedAt, made), { everyMs: HEARTBEAT_MS });
    return { context: made, role: started };
  };

  const started = start();
  started.catch((thrown: unknown) => {
    world.recorder.note(node, 'start-failed', MillraceError.from(thrown).message);
    world.crash(life);
  });

  const stop = async (): Promise<void> => {
    const { context, role: running } = await started;
    await unannounce?.();
    await running.stop();
    context.jobs.close();
    await bus.close();
    life.end();
  };
  return {
    life,
    clock,
    bus,
    role,
    started,
    actors: () => context?.actors.list() ?? [],
    accept(link) {
      if (server) server.connect(link);
      else link.close();
    },
    stop: () => (stopped ??= stop()),
  };
}

interface RoleOptions extends ProcessOptions {
  life: Life;
  afterCrash: boolean;
  onServer: (server: Awaited<ReturnType<typeof startParameterServer>>) => void;
}

async function startRole(role: RoleName, context: NodeContext, options: RoleOptions): Promise<Role> {
  const { world, life, afterCrash, compute, connect } = options;
  switch (role) {
    case 'store':
      return startStore(context, new SimulatedStore(world, life));
    case 'coordinator': {
      const { scheduler, money } = options;
      return startCoordinator(context, { countStored: countIn(world.store), lookMs: LOOK_MS, scheduler, money });
    }
    case 'parameter-server': {
      const server = await startParameterServer(context);
      options.onServer(server);
      return server;
    }
    case 'reward':
      return startReward(context, { afterCrash });
    case 'rollout':
      return startRollout(context, { afterCrash });
    case 'learner':
      return startLearner(context, {
        compute,
        findServers: async () => (await findNodes(context.bus, 'parameter-server')).map(({ address }) => address),
        connect: (address) => Promise.resolve(connect(life, address)),
        maxDecisions: MAX_DECISIONS,
        memoryBytes: () => 0,
      });
    case 'gateway':
      throw new MillraceError('unimplemented', 'the gateway has no in-memory port to be reached through');
  }
}

function describe(id: string, role: RoleName, startedAt: number, { clock, actors }: NodeContext): NodeInfo {
  return {
    id,
    roles: [role],
    pid: 1,
    // What learners connect to: the simulated network knows processes by their node.
    address: role === 'parameter-server' ? id : '',
    startedAt,
    heartbeatAt: clock.now(),
    rssBytes: 0,
    peakRssBytes: 0,
    cpuSeconds: 0,
    eventLoopDelayMs: 0,
    labels: {},
    actors: actors.list(),
  };
}
