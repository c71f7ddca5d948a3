import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startNatsServer } from '../cluster/infra/nats-server.ts';
import { systemClock } from '../src/clock/system.ts';
import { taking, UNUSED, type RateState } from '../src/model/rate/rate-state.ts';
import { kvRates } from '../src/model/rate/rate-store.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { RATES } from '../src/protocol/names.ts';
import { systemRandom } from '../src/random/seeded.ts';

it('four clients of a NATS server never take the same place of a rate', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-rates-'));
  const server = await startNatsServer({ storeDir: folder });
  const limits = { requestsPerMinute: 600 };
  const now = 1_700_000_000_000;
  const places: number[] = [];
  const client = async (name: string): Promise<void> => {
    const bus = await connectBus({ servers: `127.0.0.1:${server.port}`, name });
    const store = kvRates(bus.kv(RATES), { clock: systemClock, random: systemRandom() });
    for (let i = 0; i < 100; i++)
      places.push(
        await store.change('provider', (state) => {
          const { state: after, startAt } = taking(state, limits, { tokens: 0, now });
          return { state: after, result: startAt };
        }),
      );
    await bus.close();
  };
  try {
    const first = await connectBus({ servers: `127.0.0.1:${server.port}`, name: 'first' });
    await first.ensureTopology();
    await first.close();
    await Promise.all(['a', 'b', 'c', 'd'].map(client));
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
  // As one client alone would have taken them.
  let state: RateState = UNUSED;
  const alone = Array.from({ length: 400 }, () => {
    const next = taking(state, limits, { tokens: 0, now });
    state = next.state;
    return next.startAt;
  });
  expect(places.sort((a, b) => a - b)).toEqual(alone);
});
