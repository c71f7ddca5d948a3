import { memoryBus } from '../../src/protocol/memory.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { connectMemory } from '../../src/bus/memory/memory-bus.ts';
import type { MemoryServer } from '../../src/bus/memory/server.ts';
import type { TopologyOptions } from '../../src/protocol/topology.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import { silentLogger } from '../../src/telemetry/log.ts';
import type { NodeContext } from '../../cluster/runtime/context.ts';
import { memoryContext } from '../../cluster/serial/context.ts';

/** Nodes in this process on one in-memory server, under one virtual clock. */
export class MemoryNodes {
  readonly clock = new VirtualClock();
  readonly #server: MemoryServer;
  readonly #random = seededRandom(1);
  readonly #stateDir: string;

  constructor(stateDir: string, topology: TopologyOptions = {}) {
    this.#stateDir = stateDir;
    this.#server = memoryBus({ clock: this.clock, ...topology }).server;
  }

  /** A node without roles; `wrap` may make its bus misbehave. */
  node(id: string, wrap: (bus: Bus) => Bus = (bus) => bus): Promise<NodeContext> {
    const { clock } = this;
    const outside = <T>(work: Promise<T>): Promise<T> => clock.hold(work);
    const options = { clock, random: this.#random, log: silentLogger(), stateDir: this.#stateDir, outside };
    return memoryContext(id, { ...options, bus: wrap(connectMemory(this.#server)) });
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
