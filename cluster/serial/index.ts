import { memoryBus } from '../../src/protocol/memory.ts';
import { connectMemory, type MemoryBus } from '../../src/bus/memory/memory-bus.ts';
import type { MemoryServer } from '../../src/bus/memory/server.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { initCompute, type ComputeInfo } from '../../src/compute/backend.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import type { Files } from '../../src/files/files.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import { floatsFromBytes } from '../../src/policy/float-bytes.ts';
import type { Random } from '../../src/random/random.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { Link } from '../../src/rpc/link.ts';
import { memoryLinkPair } from '../../src/rpc/memory-link.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { silentLogger, type Logger } from '../../src/telemetry/log.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { memoryContext } from './context.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { MoneySettings } from '../coordinator/budget-keeper.ts';
import { startCoordinator } from '../coordinator/index.ts';
import { CoordinatorBackend } from '../coordinator/admin-backend.ts';
import { countIn } from './count-stored.ts';
import type { WeightSource } from '../jobs/weight-source.ts';
import { startLearner } from '../learner/index.ts';
import { announce, watchNodes, type NodeInfo } from '../runtime/nodes.ts';
import { startParameterServer } from '../parameter-server/index.ts';
import { startReward } from '../reward/index.ts';
import { startRollout } from '../rollout/index.ts';
import { startStore } from '../store/index.ts';

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
  /** Learners' messages wait while this says so; to hold a job until something was seen. Default: never. */
  pauseLearners?: () => boolean | Promise<boolean>;
  /** Virtual milliseconds that an insert into the store takes; to try out a store that is behind. Default 0. */
  storeDelayMs?: (insert: number) => number;
  /** Stops every node once this many rounds are committed, and starts new ones that go on. Default: never. */
  interruptAfterRound?: number;
  /** Gets a connection of its own before any node starts: what it leaves there is what the cluster finds. */
  prepare?: (bus: MemoryBus) => Promise<void>;
  /** Sees the job after each of its changes, as whoever watches it through the admin API does, and may use that API. */
  onJob?: (job: Job, admin: CoordinatorBackend) => void;
  /** What owners may spend, and what calls cost. Default: 100 dollars a month, and no prices. */
  money?: MoneySettings;
  /** What the job starts from. Default: weights drawn from its seed. */
  from?: WeightSource;
  /** Called when the job has ended; the id of a job that it resumed or created is followed next. Default: that was all. */
  onEnd?: (job: Job, admin: CoordinatorBackend) => Promise<string | undefined>;
  /** Folder for checkpoints. */
  stateDir: string;
  /** What that folder is on. Default: the disk of this machine. */
  files?: Files;
  log?: Logger;
}

/** What a serial run left behind. */
export interface SerialResult {
  /** The job as the admin API shows it. */
  job: Job;
  /** All jobs, as it lists them. */
  jobs: Job[];
  /** Weights of the newest version, tensors one after the other. */
  weights: Float32Array;
  version: number;
  store: MemoryStore;
  /** Virtual seconds it took. */
  seconds: number;
}

/** How often learners that are held look whether they still are. */
const PAUSE_POLL_MS = 100;

/**
 * What a learner would measure: the size of its micro-batches is fixed, since float32 sums depend on what is added together, and what
 * it says about the machine is the same everywhere.
 */
const MACHINE_INDEPENDENT = { maxDecisions: 512, memoryBytes: () => 0 };

/**
 * Runs a job with every role in this process, on in-memory ports, virtual time and seeded random numbers: the same cluster
 * code as everywhere, and the same result to the last bit in every run.
 */
export async function runSerial(config: JobConfig, options: SerialOptions): Promise<SerialResult> {
  const { seed = 1, log = silentLogger() } = options;
  const compute = await initCompute();
  const clock = new VirtualClock();
  const store = new MemoryStore();
  const { server } = memoryBus({ clock });
  const cluster = { clock, server, store, compute, random: seededRandom(seed), log, ...options };
  return clock.run(run(config, cluster));
}

/** What the nodes of one serial run share. */
interface Shared extends SerialOptions {
  clock: VirtualClock;
  server: MemoryServer;
  store: MemoryStore;
  compute: ComputeInfo;
  random: Random;
  log: Logger;
}

async function run(config: JobConfig, shared: Shared): Promise<SerialResult> {
  const { interruptAfterRound, onJob = () => {}, onEnd = () => Promise.resolve(undefined), from } = shared;
  await shared.prepare?.(connectMemory(shared.server));
  let nodes = await startNodes(shared);
  try {
    let { id } = await withBackend(nodes.coordinator, (backend) => backend.createJob(config.name, config, { from }));
    if (interruptAfterRound !== undefined) {
      const reached = (job: Job): boolean => (job.progress?.round ?? 0) >= interruptAfterRound;
      await follow(nodes.coordinator, id, { onJob, done: reached });
      await nodes.stop();
      nodes = await startNodes(shared);
    }
    let job = await follow(nodes.coordinator, id, { onJob, done: () => false });
    const next = (): Promise<string | undefined> => withBackend(nodes.coordinator, (backend) => onEnd(job, backend));
    for (let more = await next(); more !== undefined; more = await next()) {
      id = more;
      job = await follow(nodes.coordinator, id, { onJob, done: () => false });
    }
    const { weights } = nodes.coordinator;
    const latest = await weights.latest(id);
    if (!latest) throw new MillraceError('internal', `job ${id} ended without a committed version: ${job.error}`);
    const values = floatsFromBytes(await weights.fetch(latest.manifest, 'weights'));
    const seconds = shared.clock.monotonic() / 1000;
    const jobs = await withBackend(nodes.coordinator, async (backend) =>
      Promise.all((await backend.listJobs()).map((listing) => listing.view())),
    );
    return { job, jobs, weights: values, version: latest.manifest.version, store: shared.store, seconds };
  } finally {
    await nodes.stop();
  }
}

/** One node of each role, more of some, each with a connection of its own. */
async function startNodes(shared: Shared): Promise<{ coordinator: NodeContext; stop: () => Promise<void> }> {
  const { learners = 1, rollouts = 1, money, store, compute } = shared;
  const stops: (() => Promise<void>)[] = [];
  const join = async (id: string, role: RoleName, start: (context: NodeContext) => Promise<Role>): Promise<NodeContext> => {
    const context = await memoryContext(id, {
      ...shared,
      bus: connectMemory(shared.server),
      outside: (work) => shared.clock.hold(work),
    });
    const started = await start(context);
    const unannounce = await announce(context.bus, shared.clock, () => describe(id, role, context));
    stops.unshift(async () => {
      await unannounce();
      await started.stop();
      context.jobs.close();
      await context.bus.close();
    });
    return context;
  };

  // The store outlives an interruption: closing it would forget the rows.
  await join('store', 'store', (context) => startStore(context, kept(store, shared)));
  const coordinator = await join('coordinator', 'coordinator', (context) =>
    startCoordinator(context, { money, countStored: countIn(store) }),
  );
  let connectLearner = (_: Link<WorkRequest, WorkResponse>): void => {};
  await join('parameter-server', 'parameter-server', async (context) => {
    const started = await startParameterServer(context);
    connectLearner = (link) => started.connect(link);
    return started;
  });
  await join('reward-1', 'reward', startReward);
  for (let i = 1; i <= rollouts; i += 1) await join(`rollout-${i}`, 'rollout', startRollout);
  for (let i = 1; i <= learners; i += 1) {
    const toServer = (): Promise<Link<WorkResponse, WorkRequest>> => {
      const [theirs, ours] = memoryLinkPair<WorkRequest, WorkResponse>();
      connectLearner(theirs);
      const { learnerDelayMs, pauseLearners: holdLearners, clock } = shared;
      if (!learnerDelayMs && !holdLearners) return Promise.resolve(ours);
      const wait = async (): Promise<void> => {
        if (learnerDelayMs) await clock.sleep(learnerDelayMs(i));
        while (await holdLearners?.()) await clock.sleep(PAUSE_POLL_MS);
      };
      return Promise.resolve(delayed(ours, wait));
    };
    const findServers = (): Promise<string[]> => Promise.resolve(['serial']);
    await join(`learner-${i}`, 'learner', (context) =>
      startLearner(context, { ...MACHINE_INDEPENDENT, compute: { ...compute, gflops: 0 }, findServers, connect: toServer }),
    );
  }
  return {
    coordinator,
    stop: async () => {
      for (const stop of stops.splice(0)) await stop();
    },
  };
}

/** The store without its end, as slow as is wanted. */
function kept(store: MemoryStore, { clock, storeDelayMs }: Shared): Store {
  let inserts = 0;
  return {
    migrate: () => store.migrate(),
    insert: async (table, rows, token) => {
      const delayMs = storeDelayMs?.((inserts += 1)) ?? 0;
      if (delayMs > 0) await clock.sleep(delayMs);
      return store.insert(table, rows, token);
    },
    query: (sql, options) => store.query(sql, options),
    close: () => Promise.resolve(),
  };
}

async function withBackend<T>(context: NodeContext, use: (backend: CoordinatorBackend) => Promise<T>): Promise<T> {
  const nodes = await watchNodes(context.bus);
  const noQuery = (): Promise<never> =>
    Promise.reject(new MillraceError('unimplemented', 'serial mode has no SQL; read the rows of the in-memory store'));
  const backend = new CoordinatorBackend(context, nodes, { query: noQuery });
  try {
    return await use(backend);
  } finally {
    backend.close();
    nodes.close();
  }
}

/** Follows the job until `done`, or its end. */
function follow(
  context: NodeContext,
  id: string,
  { onJob, done }: { onJob: NonNullable<SerialOptions['onJob']>; done: (job: Job) => boolean },
): Promise<Job> {
  return withBackend(context, async (backend) => {
    let last: Job | undefined;
    for await (const job of backend.watchJob(id, new AbortController().signal)) {
      last = job;
      onJob(job, backend);
      if (done(job)) break;
    }
    return last!;
  });
}

function describe(id: string, role: RoleName, { clock, actors }: NodeContext): NodeInfo {
  const now = clock.now();
  return {
    id,
    roles: [role],
    pid: 0,
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
function delayed<In, Out>(link: Link<In, Out>, wait: () => Promise<void>): Link<In, Out> {
  let queue: Promise<unknown> = Promise.resolve();
  return {
    send(message) {
      const sent = queue.then(wait).then(() => link.send(message));
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
