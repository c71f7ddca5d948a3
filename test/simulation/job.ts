import { fileURLToPath } from 'node:url';
import { initCompute } from '../../src/compute/backend.ts';
import { loadJobConfig } from '../../src/config/load.ts';
import type { SimulationOptions } from '../../cluster/simulation/run.ts';
import { systemClock } from '../../src/clock/system.ts';
import { createJobRuntimes } from '../../cluster/jobs/runtime.ts';

/**
 * The job of simulated runs, loaded once: a run itself touches no module and no real file.
 *
 * @param file - its configuration, for a process that does not run from the sources
 */
export async function simulatedJob(
  file = fileURLToPath(new URL('../flows/simulated/job.yaml', import.meta.url)),
): Promise<Pick<SimulationOptions, 'config' | 'compute' | 'runtimes'>> {
  const { config } = loadJobConfig(file, {});
  const loaded = createJobRuntimes({ clock: systemClock, outside: (work) => work });
  const load = () => loaded.get({ id: 'simulated', config, code: undefined });
  const runtime = await load();
  await runtime.tasks();
  await runtime.context();
  const runtimes = { get: load, forget: () => {}, running: () => [] };
  return { config, compute: await initCompute(), runtimes };
}
