import { describe } from 'vitest';
import type { Clock } from '../../../src/clock/clock.ts';
import { clockConformance } from '../../../src/clock/conformance.ts';
import { VirtualClock } from '../../../src/clock/virtual.ts';
import { CONFORMANCE_TOPOLOGY, busConformance } from '../../../src/conformance/bus.ts';
import { filesConformance } from '../../../src/files/conformance.ts';
import type { WorkRequest, WorkResponse } from '../../../src/gen/millrace/v1/learner_pb.ts';
import { linkConformance } from '../../../src/rpc/link-conformance.ts';
import { storeConformance } from '../../../src/store/conformance.ts';
import { Life } from '../life.ts';
import { SimulatedBus } from './bus.ts';
import { SimulatedClock } from './clock.ts';
import { simulatedFiles } from './files.ts';
import { simulatedLinkPair } from './link.ts';
import { SimulatedStore } from './store.ts';
import { goOn, testWorld } from './testing-world.ts';

busConformance('simulated bus', () => {
  const world = testWorld({ topology: CONFORMANCE_TOPOLOGY });
  const { clock, network, server } = world;
  const connections: SimulatedBus[] = [];
  const heals: (() => void)[] = [];
  return Promise.resolve({
    clock,
    connect() {
      const life = new Life(`node-${connections.length}`, 1);
      const bus = new SimulatedBus(world, life);
      connections.push(bus);
      const cut = (): void => {
        network.cut(life.node, 'nats');
        bus.silent();
        heals.push(() => network.heal(life.node, 'nats'));
      };
      return Promise.resolve({ bus, cut });
    },
    deleteStream: (name) => Promise.resolve(server.deleteStream(name)),
    deleteBucket: (name) => Promise.resolve(server.deleteBucket(name)),
    run: (work) => clock.run(work),
    async stop() {
      for (const heal of heals) heal();
      await clock.run(Promise.all(connections.map((bus) => bus.close())));
    },
  });
});

const clocks = new Map<Clock, VirtualClock>();

clockConformance(
  'a simulated clock that drifts',
  () => {
    const virtual = new VirtualClock();
    const clock = new SimulatedClock(virtual, new Life('node', 1), { rate: 1.005, offsetMs: 1000 });
    clocks.set(clock, virtual);
    return clock;
  },
  (clock, work) => clocks.get(clock)!.run(work),
);

filesConformance('simulated files', async () => {
  const world = testWorld();
  const files = simulatedFiles(world, new Life('node', 1));
  const stop = goOn(world.clock);
  await files.makeFolder('/some/folder');
  return { files, folder: '/some/folder', close: () => Promise.resolve(stop()) };
});

storeConformance('simulated store', () => {
  const world = testWorld();
  const store = new SimulatedStore(world, new Life('node', 1));
  const close = store.close.bind(store);
  const stop = goOn(world.clock);
  store.close = async () => {
    await close();
    stop();
  };
  return Promise.resolve(store);
});

describe('simulated link', () => {
  linkConformance(() => {
    const world = testWorld();
    const [server, client] = simulatedLinkPair<WorkRequest, WorkResponse>(world, new Life('server', 1), new Life('client', 1));
    const stop = goOn(world.clock);
    void Promise.all([server.closed, client.closed]).then(stop);
    return Promise.resolve({ server, client });
  });
});
