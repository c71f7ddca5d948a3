import { initCompute } from '../../src/compute/backend.ts';
import type { SimulationOptions } from '../../cluster/simulation/run.ts';
import { systemClock } from '../../src/clock/system.ts';
import { createJobRuntimes } from '../../cluster/jobs/runtime.ts';
import { simulatedConfig } from './job-config.ts';

/**
 * The job of simulated runs, loaded once: a run itself touches no module and no real file.
 *
 * @param file - its configuration, for a process that does not run from the sources
 */
export async function simulatedJob(file?: string): Promise<Pick<SimulationOptions, 'config' | 'compute' | 'runtimes'>> {
  const config = simulatedConfig(file);
  const loaded = createJobRuntimes({ clock: systemClock, outside: (work) => work });
  const load = () => loaded.get({ id: 'simulated', config, code: undefined });
  const runtime = await load();
  await runtime.tasks();
  await runtime.context();
  const runtimes = { get: load, forget: () => {}, running: () => [] };
  return { config, compute: await initCompute(), runtimes };
}
