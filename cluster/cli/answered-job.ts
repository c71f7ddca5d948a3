import { MillraceError } from '../../src/errors.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';

/** The job in an answer of the admin API. */
export function answeredJob(job: Job | undefined): Job {
  if (job) return job;
  throw new MillraceError('internal', 'The server has answered without a job; is it of another version?');
}
