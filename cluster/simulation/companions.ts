import { schedulerSchema, type SchedulerConfig } from '../../src/config/scheduler.ts';
import type { Random } from '../../src/random/random.ts';
import type { CreateJobOptions } from '../admin/backend.ts';

/** One run in so many has several jobs. */
const SEVERAL = 8;
/** When a further job is created at the latest, in virtual ms: a job without faults takes less than a second. */
const LATEST_MS = 1_500;
const OWNERS = ['ann', 'bob'];

/** A job of a run with several. */
export interface PlannedJob {
  id: string;
  /** When it is created, in virtual milliseconds after the run began. */
  at: number;
  options: Pick<CreateJobOptions, 'owner' | 'priority'>;
}

/** The jobs of a run, of which fewer may run than there are. */
export interface JobsPlan {
  /** The job that the run is about. */
  main: PlannedJob;
  /** Jobs that compete with it for places; mostly none. */
  others: PlannedJob[];
  /** Default: what a cluster has. */
  scheduler?: SchedulerConfig;
}

/** Draws which jobs a run has: mostly one, else two or three of two owners, with priorities and fewer places. */
export function planJobs(random: Random): JobsPlan {
  if (random.integer(SEVERAL) !== 0) return { main: { id: 'job', at: 0, options: {} }, others: [] };
  const planned = (id: string, latest: number): PlannedJob => ({
    id,
    at: latest * random.uniform(),
    options: { owner: OWNERS[random.integer(OWNERS.length)]!, priority: random.integer(3) },
  });
  const main = planned('job', 0);
  const others = Array.from({ length: 1 + random.integer(2) }, (_, i) => planned(`other-${i + 1}`, LATEST_MS));
  const limited = random.integer(2) === 0;
  const scheduler = schedulerSchema.parse({
    maxRunning: 1 + random.integer(others.length),
    minRunSeconds: random.integer(2),
    owners: { ann: { weight: 1, ...(limited && { maxRunning: 1 }) }, bob: { weight: 2 } },
  });
  return { main, others, scheduler };
}
