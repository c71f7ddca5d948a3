/** Runs seeds one after the other and sends what became of each to the parent process: `worker.js FROM TO JOB_FILE`. */
import { simulate } from '../../../cluster/simulation/run.ts';
import { simulatedJobs } from '../job.ts';

const [from = '1', to = '1', file = ''] = process.argv.slice(2);

process.on('disconnect', () => process.exit());
const jobs = await simulatedJobs(file);
for (let seed = Number(from); seed <= Number(to); seed += 1) {
  const { outcome, invariant, reason } = await simulate(seed, jobs);
  process.send!({ seed, outcome, invariant, reason });
  if (outcome === 'failed') break;
}
process.disconnect();
