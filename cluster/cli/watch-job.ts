import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';
import type { Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { JobState } from '../../src/gen/millrace/v1/admin_pb.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './errors.ts';
import { jobJson } from './job-view.ts';
import { createProgressPrinter } from './progress-printer.ts';
import { progressOf, stateName } from './progress.ts';

/** How long a watch that broke is tried again before it fails. */
const PATIENCE_MS = 20_000;
const RETRY_MS = 500;

/**
 * Follows a job to its end. For people progress goes to stderr and the last state to stdout; with `-o json` every state is
 * one line of JSON on stdout. A coordinator that goes away is waited for. Returns the exit code.
 */
export async function watchJob(jobId: string, context: CliContext): Promise<number> {
  const printer = createProgressPrinter(context.stderr);
  let last: Job | undefined;
  let brokenAt: number | undefined;
  const follow = (): Promise<void> =>
    context.withAdmin(async (admin) => {
      for await (const { job } of admin.watchJob({ jobId }, { signal: context.signal })) {
        if (!job) continue;
        last = job;
        brokenAt = undefined;
        if (context.json) context.stdout.write(`${JSON.stringify(jobJson(job))}\n`);
        else printer.update(progressOf(job));
      }
    });
  try {
    while (!last || !isOver(last)) {
      try {
        await follow();
      } catch (thrown) {
        const error = MillraceError.from(thrown);
        // A job never seen is not waited for: the address or the id is wrong.
        if (!last || !error.retryable || context.signal.aborted) throw error;
        if (brokenAt === undefined) printer.note(`lost the connection (${error.message}); trying again`);
        brokenAt ??= performance.now();
        if (performance.now() - brokenAt > PATIENCE_MS) throw error;
      }
      if (!last || !isOver(last)) await sleep(RETRY_MS, undefined, { signal: context.signal });
    }
  } finally {
    if (!context.json) printer.end();
  }
  if (!context.json) {
    context.stdout.write(`${last.id} ${stateName(last.state)}\n`);
    if (last.error !== '') context.note(`error: ${last.error}`);
    if (last.checkpoint !== '') context.note(`checkpoint: ${last.checkpoint}`);
  }
  return last.state === JobState.SUCCEEDED ? EXIT.ok : EXIT.failure;
}

function isOver({ state }: Job): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}
