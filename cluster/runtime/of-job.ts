import type { JobRecord } from '../../src/jobs/record.ts';
import { isEnded } from '../../src/jobs/state.ts';
import type { NodeContext } from './context.ts';
import type { Delivery } from './delivery.ts';
import { DONE, refuse, type Settlement } from './outcome.ts';

/** The work of one message, and the job that it belongs to. */
export type JobHandler<T> = (value: T, job: JobRecord, delivery: Delivery) => Promise<Settlement>;

/**
 * A handler for messages of any job: one of a job that does not exist goes to the DLQ, one of a job that has ended is done with,
 * since its requests were counted as failed when the job ended.
 */
export function ofJob<T>(
  { jobs }: Pick<NodeContext, 'jobs'>,
  jobOf: (value: T) => string,
  handle: JobHandler<T>,
): (value: T, delivery: Delivery) => Promise<Settlement> {
  return async (value, delivery) => {
    const id = jobOf(value);
    const entry = await jobs.find(id);
    if (!entry) return refuse(`there is no job "${id}"`);
    return isEnded(entry.record.state) ? DONE : handle(value, entry.record, delivery);
  };
}
