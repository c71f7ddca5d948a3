import type { Command } from 'commander';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';
import { listedOwner } from '../../owner-options.ts';
import { collectOption } from '../../repeated-option.ts';
import { wholeNumber } from '../../whole-number.ts';

/** `millrace job list`, `describe` and `watch`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('list')
    .description('all jobs, newest first')
    .option('--limit <count>', 'maximum number of jobs, 1 to 100000', '50')
    .option('--status <states>', 'only jobs in these states, comma-separated, e.g. running,paused', collectOption)
    .option('--owner <name>', 'only jobs of this owner')
    .option('--mine', 'only jobs of MILLRACE_OWNER, or of owner local if that is not set')
    .action(async (options: { limit: string; status?: string[]; owner?: string; mine?: boolean }) => {
      const limit = wholeNumber(options.limit, '--limit', 1, 100_000);
      const owner = listedOwner(options, context.env);
      const [{ jobsFilter, listJobs, parseStates }, { jobJson, jobTable }] = await Promise.all([
        import('../../job-selection.ts'),
        import('../../job-view.ts'),
      ]);
      const states = options.status === undefined ? undefined : parseStates(options.status);
      const jobs = await context.withAdmin((admin) => listJobs(admin, limit, jobsFilter(states, owner)));
      context.print(jobs.map(jobJson), () => jobTable(jobs, Date.now()));
    });

  job
    .command('describe')
    .description('state, what it waits for, progress, accounting and evaluations')
    .argument('<id>', 'job')
    .action(async (jobId: string) => {
      const found = await context.withAdmin(async (admin) => answeredJob((await admin.getJob({ jobId })).job));
      const { describeJob, jobJson } = await import('../../job-view.ts');
      context.print(jobJson(found), () => describeJob(found, Date.now()));
    });

  job
    .command('watch')
    .description('show progress until the job ends (exit code 1 if it did not succeed), or every change of all jobs')
    .argument('[id]', 'job; all jobs without one, until Ctrl-C')
    .option('--owner <name>', 'without a job: only jobs of this owner')
    .action(async (jobId: string | undefined, { owner }: { owner?: string }) => {
      if (jobId === undefined) {
        const [{ jobsFilter }, { printJobChanges }] = await Promise.all([
          import('../../job-selection.ts'),
          import('../../watch-jobs.ts'),
        ]);
        return printJobChanges(jobsFilter(undefined, owner), context);
      }
      const { printJobProgress } = await import('../../watch-job.ts');
      context.exitCode = await printJobProgress(jobId, context);
    });
}
