import { NO_FAULTS } from '../../cluster/simulation/faults/plan.ts';
import type { SimulatedJob } from '../../cluster/simulation/job.ts';
import { simulate, type SimulationOptions } from '../../cluster/simulation/run.ts';
import { VirtualClock } from '../../src/clock/virtual.ts';
import { initCompute, type ComputeInfo } from '../../src/compute/backend.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { createJobRuntimes } from '../../cluster/jobs/runtime.ts';
import { simulatedConfigs } from './job-config.ts';

/**
 * The jobs of simulated runs, loaded once: a run itself touches no module and no real file.
 *
 * @param file - their configuration, for a process that does not run from the sources
 */
export async function simulatedJobs(file?: string): Promise<Pick<SimulationOptions, 'jobs' | 'compute'>> {
  const compute = await initCompute();
  const jobs: SimulatedJob[] = [];
  for (const { name, config } of simulatedConfigs(file)) jobs.push(await load(name, config, compute));
  return { jobs, compute };
}

/** Stands still: by a real clock the slices of long work, and so the turns of the event loop in a run, would depend on the machine. */
const STANDING = new VirtualClock();

async function load(name: string, config: JobConfig, compute: ComputeInfo): Promise<SimulatedJob> {
  const loaded = createJobRuntimes({ clock: STANDING, outside: (work) => work });
  const get = () => loaded.get({ id: 'simulated', config, code: undefined });
  const bundle = async () => ({ runtime: await get(), digest: undefined });
  const runtime = await get();
  await runtime.tasks();
  await runtime.context();
  const job = { name, config, runtimes: { get, bundle, forget: () => {}, running: () => [] } };
  // With η = 0 the weights follow from the configuration: those of one learner, without faults.
  if (config.rollout.maxStaleness > 0) return job;
  const workers = { coordinators: 1, rollouts: 1, learners: 1 };
  const { weights } = await simulate(0, { jobs: [job], compute, workers, plan: NO_FAULTS });
  return { ...job, ...(weights && { reference: weights }) };
}
