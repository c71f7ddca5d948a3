import { memoryBus } from '../../src/protocol/memory.ts';
import { ActorSystem } from '../../src/actor/system.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { connectMemory } from '../../src/bus/memory/memory-bus.ts';
import type { MemoryServer } from '../../src/bus/memory/server.ts';
import type { TopologyOptions } from '../../src/protocol/topology.ts';
import { BusWeightChannel } from '../../src/weights/bus-weight-channel.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { NodeContext } from '../../cluster/runtime/context.ts';
import { artifactsOf } from '../../cluster/jobs/artifacts.ts';
import { openJobDirectory } from '../../cluster/jobs/directory.ts';
import { jobNotices } from '../../cluster/jobs/notices.ts';
import { createJobRuntimes } from '../../cluster/jobs/runtime.ts';

/** Nodes in this process on one in-memory server, under one virtual clock. */
export class MemoryNodes {
  readonly clock = new VirtualClock();
  readonly #server: MemoryServer;
  readonly #stateDir: string;

  constructor(stateDir: string, topology: TopologyOptions = {}) {
    this.#stateDir = stateDir;
    this.#server = memoryBus({ clock: this.clock, ...topology }).server;
  }

  /** A node without roles; `wrap` may make its bus misbehave. */
  async node(id: string, wrap: (bus: Bus) => Bus = (bus) => bus): Promise<NodeContext> {
    const { clock } = this;
    const bus = wrap(connectMemory(this.#server));
    const log = silentLogger();
    return {
      id,
      bus,
      weights: new BusWeightChannel(bus, { clock }),
      clock,
      log,
      metrics: createMetrics(),
      actors: new ActorSystem({ node: id, clock, log, random: seededRandom(1).fork(`${id}/actors`) }),
      jobs: await openJobDirectory(bus),
      notices: jobNotices({ bus, clock, node: id, log }),
      runtimes: createJobRuntimes((work) => clock.hold(work)),
      artifacts: artifactsOf(this.#stateDir),
      stateDir: this.#stateDir,
      outside: (work) => clock.hold(work),
    };
  }

  /** Runs on virtual time until `done` holds; fails after `seconds` of it. */
  async until(done: () => boolean | Promise<boolean>, seconds = 60): Promise<void> {
    for (let step = 0; step < seconds * 10; step += 1) {
      if (await this.clock.run(Promise.resolve(done()))) return;
      await this.clock.run(this.clock.sleep(100));
    }
    throw new Error(`not within ${seconds} virtual seconds`);
  }
}
