import { CoordinatorBackend } from '../../cluster/coordinator/admin-backend.ts';
import { startCoordinator } from '../../cluster/coordinator/index.ts';
import { startLearner } from '../../cluster/learner/index.ts';
import { startParameterServer } from '../../cluster/parameter-server/index.ts';
import { startReward } from '../../cluster/reward/index.ts';
import { startRollout } from '../../cluster/rollout/index.ts';
import type { NodeContext, Role } from '../../cluster/runtime/context.ts';
import { announce, watchNodes, type NodeInfo } from '../../cluster/runtime/nodes.ts';
import { memoryContext } from '../../cluster/serial/context.ts';
import { countIn } from '../../cluster/serial/count-stored.ts';
import { startStore } from '../../cluster/store/index.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { systemClock } from '../../src/clock/system.ts';
import { initCompute } from '../../src/compute/backend.ts';
import type { JobConfig } from '../../src/config/job.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { WorkRequest, WorkResponse } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { memoryLinkPair } from '../../src/rpc/memory-link.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { silentLogger } from '../../src/telemetry/log.ts';

/** Options of {@link runOnBus}. */
export interface RunOptions {
  /** A node's connection to NATS. */
  connect: (node: string) => Promise<Bus>;
  stateDir: string;
}

/** Runs a job with every role in this process, in real time, on connections that the caller makes. */
export async function runOnBus(config: JobConfig, { connect, stateDir }: RunOptions): Promise<Job> {
  const compute = await initCompute();
  const store = new MemoryStore();
  const random = seededRandom(1);
  const stops: (() => Promise<void>)[] = [];
  const join = async (id: string, role: RoleName, start: (context: NodeContext) => Promise<Role>): Promise<NodeContext> => {
    const bus = await connect(id);
    const options = { bus, clock: systemClock, random, log: silentLogger(), stateDir, outside: <T>(work: Promise<T>) => work };
    const context = await memoryContext(id, options);
    const started = await start(context);
    const unannounce = await announce(bus, systemClock, () => describe(id, role, context));
    stops.unshift(async () => {
      await unannounce();
      await started.stop();
      context.jobs.close();
      await bus.close();
    });
    return context;
  };
  try {
    await join('store', 'store', (context) => startStore(context, store));
    const coordinator = await join('coordinator', 'coordinator', (context) =>
      startCoordinator(context, { countStored: countIn(store) }),
    );
    let server!: Awaited<ReturnType<typeof startParameterServer>>;
    await join('parameter-server', 'parameter-server', async (context) => (server = await startParameterServer(context)));
    await join('reward', 'reward', startReward);
    for (const id of ['rollout-1', 'rollout-2']) await join(id, 'rollout', startRollout);
    const toServer = () => {
      const [theirs, ours] = memoryLinkPair<WorkRequest, WorkResponse>();
      server.connect(theirs);
      return Promise.resolve(ours);
    };
    const findServers = () => Promise.resolve(['parameter-server']);
    await join('learner', 'learner', (context) => startLearner(context, { compute, findServers, connect: toServer }));
    return await follow(coordinator, config);
  } finally {
    for (const stop of stops) await stop();
  }
}

/** Creates the job and waits for its end. */
async function follow(context: NodeContext, config: JobConfig): Promise<Job> {
  const nodes = await watchNodes(context.bus);
  const backend = new CoordinatorBackend(context, nodes, { query: () => Promise.reject(new Error('no SQL here')) });
  try {
    const { id } = await backend.createJob(config.name, config);
    let last: Job | undefined;
    for await (const job of backend.watchJob(id, new AbortController().signal)) last = job;
    return last!;
  } finally {
    backend.close();
    nodes.close();
  }
}

function describe(id: string, role: RoleName, { actors }: NodeContext): NodeInfo {
  const now = systemClock.now();
  const usage = { rssBytes: 0, peakRssBytes: 0, cpuSeconds: 0, eventLoopDelayMs: 0 };
  return {
    id,
    roles: [role],
    pid: 0,
    address: '',
    startedAt: now,
    heartbeatAt: now,
    ...usage,
    labels: {},
    actors: actors.list(),
  };
}
