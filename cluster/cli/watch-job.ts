import type { CliContext } from './context.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import { EXIT } from './errors.ts';
import { followJob } from './follow-job.ts';
import { jobJson } from './job-view.ts';
import { newNotices } from './new-notices.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { progressOf, stateName } from './progress.ts';

/**
 * Follows a job to its end. For people progress goes to stderr and the last state to stdout; with `-o json` every state is
 * one line of JSON on stdout. A coordinator that goes away is waited for. Returns the exit code.
 */
export async function printJobProgress(jobId: string, context: CliContext): Promise<number> {
  const printer = createProgressPrinter(context.stderr);
  const { json } = context;
  const noticesOf = newNotices();
  try {
    const job = await followJob(
      jobId,
      context,
      (now) => {
        if (json) return void context.stdout.write(`${JSON.stringify(jobJson(now))}\n`);
        for (const line of noticesOf(now)) printer.note(line);
        printer.update(progressOf(now));
      },
      (error) => printer.note(`lost the connection (${error.message}); trying again`),
    );
    if (!json) {
      printer.end();
      context.stdout.write(`${job.id} ${stateName(job.state)}\n`);
      if (job.error !== '') context.note(`error: ${job.error}`);
      if (job.checkpoint !== '') context.note(`checkpoint: ${job.checkpoint}`);
    }
    return job.state === JobState.SUCCEEDED ? EXIT.ok : EXIT.failure;
  } finally {
    if (!json) printer.end();
  }
}
