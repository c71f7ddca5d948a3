import { ActorSystem } from '../../src/actor/system.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { randomId } from '../../src/random/id.ts';
import type { Random } from '../../src/random/random.ts';
import type { Logger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { BusWeightChannel } from '../../src/weights/bus-weight-channel.ts';
import { artifactsOf } from '../jobs/artifacts.ts';
import { openJobDirectory } from '../jobs/directory.ts';
import { jobNotices } from '../jobs/notices.ts';
import { createJobRuntimes, type JobRuntimes } from '../jobs/runtime.ts';
import type { NodeContext } from '../runtime/context.ts';

/** What {@link memoryContext} makes a node of. */
export interface MemoryContextOptions {
  /** The node's own connection. */
  bus: Bus;
  clock: Clock;
  /** Of the whole cluster. */
  random: Random;
  log: Logger;
  stateDir: string;
  /** Marks work that virtual time must wait for. */
  outside: NodeContext['outside'];
  /** Flows of jobs. Default: each is loaded when it is first asked for. */
  runtimes?: JobRuntimes;
}

/** The ports of a node that runs in this process, on virtual time. */
export async function memoryContext(id: string, options: MemoryContextOptions): Promise<NodeContext> {
  const { bus, clock, log, stateDir, outside } = options;
  // A node that is started again under its name must not draw the ids that the one before it drew.
  const random = options.random.fork(`${id}/${randomId(options.random)}`);
  return {
    id,
    bus,
    weights: new BusWeightChannel(bus, { clock, random }),
    clock,
    random,
    log,
    metrics: createMetrics(),
    actors: new ActorSystem({ node: id, clock, log, random: options.random.fork(`${id}/actors`) }),
    jobs: await openJobDirectory(bus),
    notices: jobNotices({ bus, clock, node: id, log }),
    runtimes: options.runtimes ?? createJobRuntimes({ clock, outside }),
    artifacts: artifactsOf(stateDir),
    stateDir,
    outside,
  };
}
