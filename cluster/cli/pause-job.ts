import { MillraceError } from '../../src/errors.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from './context.ts';

/** The interrupt has ended the command's own signal; these calls have a bound of their own. */
const TIMEOUT_MS = 5_000;

/**
 * Pauses the job of a command that was interrupted and says in words what became of it: "is paused", "waits in the queue" (one that has
 * not begun cannot be paused, nor need it be), "has not begun" (one that was not even created) or "could not be paused (why)". Never throws: the command is ending.
 */
export async function pauseJob(jobId: string, context: CliContext): Promise<string> {
  try {
    return await context.withAdmin(async (admin) => {
      const { job } = await admin.getJob({ jobId }, { timeoutMs: TIMEOUT_MS });
      if (job?.state === JobState.QUEUED) return 'waits in the queue';
      await admin.pauseJob({ jobId }, { timeoutMs: TIMEOUT_MS });
      return 'is paused';
    });
  } catch (thrown) {
    const { code, message } = MillraceError.from(thrown);
    return code === 'not_found' ? 'has not begun' : `could not be paused (${message})`;
  }
}
