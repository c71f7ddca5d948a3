import { resumed, type JobChange } from '../../src/client/follow.ts';
import type { CliContext } from './context.ts';
import { oneLine } from './format.ts';
import { jobJson } from './job-view.ts';
import { progressOf } from './progress.ts';

/** How long a watch that broke is tried again before it fails. */
const PATIENCE_MS = 30_000;

/**
 * Prints a line for every job that a filter takes, and again after each change, until the user interrupts; with `-o json` a JSON object
 * each. A job that the filter no longer takes is printed once more.
 */
export async function printJobChanges(filter: string, context: CliContext): Promise<void> {
  const { signal, stdout, json } = context;
  await context.withAdmin(async (admin) => {
    const open = async function* (resumeToken: string): AsyncGenerator<{ value: JobChange; token: string }> {
      for await (const { job, left, resumeToken: token } of admin.watchJobs({ filter, resumeToken }, { signal }))
        if (job) yield { value: { job, left }, token };
    };
    for await (const { job } of resumed(open, { patienceMs: PATIENCE_MS, signal })) {
      const { state, round, rounds, heldOutText, waitingFor } = progressOf(job);
      const rest = [heldOutText ?? '', oneLine(job.error || waitingFor)].filter((text) => text !== '');
      stdout.write(json ? `${JSON.stringify(jobJson(job))}\n` : `${[job.id, state, `${round}/${rounds}`, ...rest].join('  ')}\n`);
    }
  });
}
