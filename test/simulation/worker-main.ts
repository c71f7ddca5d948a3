/** A process that simulates one seed after the other. */
import { simulate } from '../../cluster/simulation/run.ts';
import { serveOrders } from '../../bench/load/worker.ts';
import { temporaryFolder } from '../support/thermostat.ts';
import type { SeedOrder, SeedResult } from './farm.ts';
import { simulatedJob } from './job.ts';

const folder = await temporaryFolder();
const job = await simulatedJob();

serveOrders<SeedOrder, SeedResult>(async ({ seed, only, trace = false }) => {
  const faults = only === undefined ? {} : { only: new Set(only) };
  const { plan: _, ...result } = await simulate(seed, { ...job, ...faults, trace, stateDir: folder.path });
  return result;
}, folder.remove);
