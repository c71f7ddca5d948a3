import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import type { Bus } from '../src/bus/bus.ts';
import { describeCallFaults } from '../src/bus/conformance/faults.ts';
import { describeDeliveryFaults } from '../src/bus/conformance/faults-delivery.ts';
import type { FaultHarness } from '../src/bus/conformance/faults-harness.ts';
import { describeRestart } from '../src/bus/conformance/faults-restart.ts';
import { startProxy, type Proxy } from '../src/bus/conformance/proxy.ts';
import { systemClock } from '../src/clock/system.ts';
import { CONFORMANCE_TOPOLOGY } from '../src/conformance/bus.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { startNatsServer } from '../cluster/infra/nats-server.ts';

const CALL_TIMEOUT_MS = 3000;

/** A real nats-server that can be killed, and real connections over wires that can be cut. */
async function realServer(): Promise<FaultHarness> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-faults-'));
  let server = await startNatsServer({ storeDir: folder });
  const open: { bus: Bus; proxy: Proxy }[] = [];
  const harness: FaultHarness = {
    clock: systemClock,
    callTimeoutMs: CALL_TIMEOUT_MS,
    async connect() {
      const proxy = await startProxy(server.port);
      const servers = `127.0.0.1:${proxy.port}`;
      const bus = await connectBus({ servers, name: 'faults', callTimeoutMs: CALL_TIMEOUT_MS, ...CONFORMANCE_TOPOLOGY });
      open.push({ bus, proxy });
      return {
        bus,
        cut: proxy.cut,
        heal: () => proxy.mend(),
        loseAnswers: (times) => proxy.loseAnswers(times),
        carryOutLate: () => proxy.hold(CALL_TIMEOUT_MS + 500),
        delay: (ms) => proxy.delay(ms),
      };
    },
    async restartServer() {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      server = await startNatsServer({ storeDir: folder, port: server.port });
    },
    run: (work) => work,
    async stop() {
      // One whose wire was cut has nothing to hand back to.
      for (const { proxy } of open) proxy.mend();
      await Promise.all(open.map(({ bus }) => bus.close()));
      await Promise.all(open.map(({ proxy }) => proxy.close()));
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await (await harness.connect()).bus.ensureTopology();
  return harness;
}

// Each has a server of its own, and mostly waits.
describe.concurrent('at once', () => {
  describeCallFaults('nats-server', realServer);
  describeDeliveryFaults('nats-server', realServer);
  describeRestart('nats-server', realServer);
});
