/** A process that simulates one seed after the other: `worker-main.ts JOB_FILE`. */
import { simulate } from '../../cluster/simulation/run.ts';
import { serveOrders } from '../../bench/load/worker.ts';
import type { SeedOrder, SeedResult } from './farm.ts';
import { simulatedJobs } from './job.ts';

const jobs = await simulatedJobs(process.argv[2]);

serveOrders<SeedOrder, SeedResult>(async ({ seed, only, trace = false }) => {
  const faults = only === undefined ? {} : { only: new Set(only) };
  const { plan: _plan, weights: _weights, ...result } = await simulate(seed, { ...jobs, ...faults, trace });
  return result;
});
