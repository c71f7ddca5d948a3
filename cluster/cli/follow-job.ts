import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from './context.ts';

/** How long a watch that broke is tried again before it fails. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 500;

/**
 * Follows a job to its end and returns its last state. A coordinator that goes away is waited for. Throws `not_found` when
 * there is no such job and `cancelled` when the command is interrupted.
 */
export async function followJob(
  jobId: string,
  context: CliContext,
  onJob: (job: Job) => void,
  onBroken: (error: MillraceError) => void = () => {},
): Promise<Job> {
  let last: Job | undefined;
  let brokenAt: number | undefined;
  for (;;) {
    try {
      await context.withAdmin(async (admin) => {
        for await (const { job } of admin.watchJob({ jobId }, { signal: context.signal })) {
          if (!job) continue;
          last = job;
          brokenAt = undefined;
          onJob(job);
        }
      });
    } catch (thrown) {
      const error = MillraceError.from(thrown);
      // A job never seen is not waited for: the address or the id is wrong.
      if (!last || !error.retryable || context.signal.aborted) throw error;
      if (brokenAt === undefined) onBroken(error);
      brokenAt ??= performance.now();
      if (performance.now() - brokenAt > PATIENCE_MS) throw error;
    }
    if (last && isOver(last)) return last;
    await sleep(RETRY_MS, undefined, { signal: context.signal });
  }
}

/** The job has ended, well or not, or its record cannot be read any more. */
export function isOver({ state }: Job): boolean {
  return (
    state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED || state === JobState.UNREADABLE
  );
}
