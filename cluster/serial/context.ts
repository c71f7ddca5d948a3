import { ActorSystem } from '../../src/actor/system.ts';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import type { Files } from '../../src/files/files.ts';
import { nodeFiles } from '../../src/files/node-files.ts';
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
import { heldFiles } from './held-files.ts';

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
  /** What the state folder is on. Default: the disk of this machine, while virtual time stands still. */
  files?: Files;
}

/** The ports of a node that runs in this process, on virtual time. */
export async function memoryContext(id: string, options: MemoryContextOptions): Promise<NodeContext> {
  const { bus, clock, log, stateDir, outside, files = heldFiles(nodeFiles, outside) } = options;
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
    artifacts: artifactsOf(stateDir, files),
    files,
    stateDir,
    outside,
  };
}
