import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';

/** What {@link hasTurn} reads of a job. */
type Turn = Pick<JobRecord, 'id' | 'state' | 'createdAt' | 'unsettled'>;

/**
 * Whether a coordinator has work to do for a job: one that is queued while there is room for it and for those before it, one that runs or is
 * paused, and one that has ended and leaves queues to be emptied.
 *
 * @param all - the jobs of the cluster, this one among them
 * @param maxRunning - jobs that run at the same time
 */
export function hasTurn(job: Turn, all: readonly Turn[], maxRunning: number): boolean {
  if (isEnded(job.state)) return job.unsettled.includes('queues');
  if (job.state !== 'QUEUED') return true;
  const running = all.filter(({ state }) => state === 'RUNNING').length;
  const before = all.filter((other) => other.state === 'QUEUED' && isOlder(other, job)).length;
  return running + before < maxRunning;
}

function isOlder(one: Turn, other: Turn): boolean {
  return one.createdAt < other.createdAt || (one.createdAt === other.createdAt && one.id < other.id);
}
