import { ActorSystem } from '../src/actor/system.ts';
import { MemoryBus } from '../src/bus/memory/memory-bus.ts';
import { BusWeightChannel } from '../src/bus/weights/bus-weight-channel.ts';
import { VirtualClock } from '../src/clock/virtual.ts';
import { initCompute } from '../src/compute/backend.ts';
import type { JobConfig } from '../src/config/job.ts';
import { MillraceError } from '../src/errors.ts';
import type { Job } from '../src/gen/millrace/v1/admin_pb.ts';
import type { WorkRequest, WorkResponse } from '../src/gen/millrace/v1/learner_pb.ts';
import { floatsFromBytes } from '../src/policy/float-bytes.ts';
import { seededRandom } from '../src/random/seeded.ts';
import type { Link } from '../src/rpc/link.ts';
import { memoryLinkPair } from '../src/rpc/memory-link.ts';
import { MemoryStore } from '../src/store/memory-store.ts';
import { silentLogger, type Logger } from '../src/telemetry/log.ts';
import type { NodeContext, Role, RoleName } from './context.ts';
import { startCoordinator } from './coordinator.ts';
import { CoordinatorBackend } from './coordinator/admin-backend.ts';
import { openJobDirectory } from './jobs/directory.ts';
import { createJobRuntimes } from './jobs/runtime.ts';
import { startLearner } from './learner.ts';
import { announce, watchNodes, type NodeInfo } from './nodes.ts';
import { startParameterServer } from './parameter-server.ts';
import { startReward } from './reward.ts';
import { startRollout } from './rollout.ts';
import { startStore } from './store.ts';

/** Options of {@link runSerial}. */
export interface SerialOptions {
  /** Learner actors. Default 1. */
  learners?: number;
  /** Rollout actors. Default 1. */
  rollouts?: number;
  /** Seed of everything the cluster itself draws (jitter); the job has its own. Default 1. */
  seed?: number;
  /** Virtual milliseconds that a learner's message takes; to try out orders of arrival. Default 0. */
  learnerDelayMs?: (learner: number) => number;
  /** Folder for checkpoints. */
  stateDir: string;
  log?: Logger;
}

/** What a serial run left behind. */
export interface SerialResult {
  /** The job as the admin API shows it. */
  job: Job;
  /** Weights of the newest version, tensors one after the other. */
  weights: Float32Array;
  version: number;
  store: MemoryStore;
  /** Virtual seconds it took. */
  seconds: number;
}

/** Decisions in a learner's micro-batch: fixed, since float32 sums depend on what is added together. */
const MAX_DECISIONS = 512;

/**
 * Runs a job with every role in this process, on in-memory ports, virtual time and seeded random numbers: the same cluster
 * code as everywhere, and the same result to the last bit in every run.
 */
export async function runSerial(config: JobConfig, options: SerialOptions): Promise<SerialResult> {
  const { learners = 1, rollouts = 1, seed = 1, stateDir, log = silentLogger() } = options;
  const compute = await initCompute();
  const clock = new VirtualClock();
  const store = new MemoryStore();
  const server = new MemoryBus({ clock }).server;
  const random = seededRandom(seed);
  const stops: (() => Promise<void>)[] = [];

  const join = async (id: string, role: RoleName, start: (context: NodeContext) => Promise<Role>): Promise<NodeContext> => {
    const bus = server.connect();
    const context: NodeContext = {
      id,
      bus,
      weights: new BusWeightChannel(bus, { clock }),
      clock,
      random: random.fork(id),
      log,
      actors: new ActorSystem({ node: id, clock, log, random: random.fork(`${id}/actors`) }),
      jobs: await openJobDirectory(bus),
      runtimes: createJobRuntimes((work) => clock.hold(work)),
      stateDir,
      outside: (work) => clock.hold(work),
    };
    const started = await start(context);
    const unannounce = await announce(bus, clock, () => describe(id, role, context));
    stops.unshift(async () => {
      await unannounce();
      await started.stop();
      context.jobs.close();
      await bus.close();
    });
    return context;
  };

  const run = async (): Promise<SerialResult> => {
    await join('store', 'store', (context) => startStore(context, store));
    const coordinator = await join('coordinator', 'coordinator', startCoordinator);
    const connectors: ((link: Link<WorkRequest, WorkResponse>) => void)[] = [];
    await join('parameter-server', 'parameter-server', async (context) => {
      const started = await startParameterServer(context);
      connectors.push((link) => started.connect(link));
      return started;
    });
    await join('reward-1', 'reward', startReward);
    for (let i = 1; i <= rollouts; i += 1) await join(`rollout-${i}`, 'rollout', startRollout);
    for (let i = 1; i <= learners; i += 1) {
      const connect = (): Promise<Link<WorkResponse, WorkRequest>> => {
        const [theirs, ours] = memoryLinkPair<WorkRequest, WorkResponse>();
        connectors[0]!(theirs);
        return Promise.resolve(options.learnerDelayMs ? delayed(ours, clock, () => options.learnerDelayMs!(i)) : ours);
      };
      const findServer = (): Promise<string> => Promise.resolve('serial');
      await join(`learner-${i}`, 'learner', (context) =>
        startLearner(context, { compute, findServer, connect, maxDecisions: MAX_DECISIONS }),
      );
    }
    return follow(coordinator, config, store, clock);
  };

  try {
    return await clock.run(run());
  } finally {
    await clock.run(
      (async () => {
        for (const stop of stops) await stop();
      })(),
    );
  }
}

async function follow(context: NodeContext, config: JobConfig, store: MemoryStore, clock: VirtualClock): Promise<SerialResult> {
  const nodes = await watchNodes(context.bus);
  const noQuery = (): Promise<never> =>
    Promise.reject(new MillraceError('unimplemented', 'serial mode has no SQL; read the rows of the in-memory store'));
  const backend = new CoordinatorBackend(context, nodes, noQuery);
  try {
    const { id } = await backend.createJob(config.name, config);
    let job: Job | undefined;
    for await (const state of backend.watchJob(id, new AbortController().signal)) job = state;
    const latest = await context.weights.latest(id);
    if (!job || !latest) throw new MillraceError('internal', `job ${id} ended without a committed version: ${job?.error ?? ''}`);
    const bytes = await context.weights.fetch(latest.manifest, 'weights');
    return {
      job,
      weights: floatsFromBytes(bytes),
      version: latest.manifest.version,
      store,
      seconds: clock.monotonic() / 1000,
    };
  } finally {
    backend.close();
    nodes.close();
  }
}

function describe(id: string, role: RoleName, { clock, actors }: NodeContext): NodeInfo {
  const now = clock.now();
  return {
    id,
    roles: [role],
    pid: process.pid,
    address: '',
    startedAt: now,
    heartbeatAt: now,
    rssBytes: 0,
    peakRssBytes: 0,
    cpuSeconds: 0,
    eventLoopDelayMs: 0,
    labels: {},
    actors: actors.list(),
  };
}

/** A link whose messages take their time; their order is kept. */
function delayed<In, Out>(link: Link<In, Out>, clock: VirtualClock, delayMs: () => number): Link<In, Out> {
  let queue: Promise<unknown> = Promise.resolve();
  return {
    send(message) {
      const sent = queue.then(() => clock.sleep(delayMs())).then(() => link.send(message));
      queue = sent.catch(() => {});
      return sent;
    },
    onMessage: (handler) => link.onMessage(handler),
    closed: link.closed,
    get error() {
      return link.error;
    },
    close: () => link.close(),
  };
}
