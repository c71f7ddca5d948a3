import type { Bus } from '../../../src/bus/bus.ts';
import { VirtualClock } from '../../../src/clock/virtual.ts';
import { MillraceError } from '../../../src/errors.ts';
import { seededRandom } from '../../../src/random/seeded.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import type { AgentDirectory } from '../../jobs/agents.ts';
import { servingApi, type ServingApi, type ServingOptions } from './index.ts';

/** A {@link ServingApi} without jobs and workers, for tests; they give what they need. */
export function memoryServing(bus: Bus, agents: AgentDirectory, options: Partial<ServingOptions> = {}): ServingApi {
  return servingApi({
    ...{ bus, agents, clock: new VirtualClock(), random: seededRandom(1), log: silentLogger() },
    jobs: {
      fetch: () => Promise.resolve(undefined),
      update: () => Promise.reject(new MillraceError('not_found', 'There is no job.')),
    },
    bundledFlow: () => Promise.resolve({ flow: 'flow' }),
    ask: () => Promise.reject(new MillraceError('unavailable', 'There is no worker.')),
    ...options,
  });
}
