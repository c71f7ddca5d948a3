import type { Command } from 'commander';
import { MillraceError } from '../../../../src/errors.ts';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';

/** Loading the flow takes as long as when a job of it is created. */
const START_MS = 60_000;

/** `millrace job evaluate`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('evaluate')
    .description('measure a version of a job on its held-out tasks, as a job of its own; prints its id')
    .argument('<job[@version]>', 'job, also one that has ended; its newest version unless one is named')
    .action(async (text: string) => {
      const match = /^([^@]+)(?:@(\d{1,9}))?$/.exec(text);
      if (match === null)
        throw new MillraceError('invalid_argument', `"${text}" is neither <job> nor <job>@<version>.`, { field: 'job' });
      const [, jobId, version] = match;
      const request = { jobId: jobId!, ...(version !== undefined && { version: Number(version) }) };
      const measuring = await context.withAdmin(async (admin) =>
        answeredJob((await admin.evaluateJob(request, { timeoutMs: START_MS })).job),
      );
      const { jobJson } = await import('../../job-view.ts');
      context.print(jobJson(measuring), () => `${measuring.id}\n`);
      if (!context.json) context.note(`measures ${measuring.evaluates}; the result will be in: millrace job describe ${jobId}`);
    });
}
