import type { FaultHarness } from '../../../src/bus/conformance/faults-harness.ts';
import { describeCallFaults } from '../../../src/bus/conformance/faults.ts';
import { describeDeliveryFaults } from '../../../src/bus/conformance/faults-delivery.ts';
import { describeRestart } from '../../../src/bus/conformance/faults-restart.ts';
import { CONFORMANCE_TOPOLOGY } from '../../../src/conformance/bus.ts';
import { Life } from '../life.ts';
import { SimulatedBus } from './bus.ts';
import { CALL_TIMEOUT_MS } from './calls.ts';
import { ForcedFaults, testWorld } from './testing-world.ts';

/** How long a server that is killed is away, in ms. */
const RESTART_MS = 300;

/** The simulated server and connections to it; what goes wrong comes from the injector, and from cuts of the network. */
function simulatedServer(): Promise<FaultHarness> {
  const world = testWorld({ topology: CONFORMANCE_TOPOLOGY });
  const { clock, network, server } = world;
  const forced = new ForcedFaults(world);
  const connections: SimulatedBus[] = [];
  const cuts = new Set<string>();
  return Promise.resolve({
    clock,
    callTimeoutMs: CALL_TIMEOUT_MS,
    connect() {
      const node = `node-${connections.length}`;
      const bus = new SimulatedBus(world, new Life(node, 1));
      connections.push(bus);
      return Promise.resolve({
        bus,
        cut() {
          cuts.add(node);
          network.cut(node, 'nats');
          bus.silent();
        },
        heal() {
          if (cuts.delete(node)) network.heal(node, 'nats');
        },
        loseAnswers(times) {
          forced.strike(node, { kinds: ['answer-lost', 'delivery-lost'], times });
        },
        carryOutLate() {
          forced.strike(node, { kinds: ['call-failed-done-late'], amount: 0.01 });
        },
        delay(ms) {
          forced.slow(node, ms);
        },
      });
    },
    async restartServer() {
      network.cut('nats', '*');
      for (const bus of connections) bus.silent();
      server.kill({ durablesMs: 100, removalsMs: 30_000 });
      await clock.sleep(RESTART_MS);
      network.heal('nats', '*');
    },
    run: (work) => clock.run(work),
    async stop() {
      for (const node of cuts) network.heal(node, 'nats');
      await clock.run(Promise.all(connections.map((bus) => bus.close())));
    },
  });
}

describeCallFaults('simulated bus', simulatedServer);
describeDeliveryFaults('simulated bus', simulatedServer);
describeRestart('simulated bus', simulatedServer);
