import type { Command } from 'commander';
import type { Job } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { AdminClient, CliContext } from '../context.ts';
import { FROM, weightsFrom } from '../weights-from.ts';
import { wholeNumber } from '../whole-number.ts';

/** `millrace job …`: training jobs of a running cluster. */
export function register(program: Command, context: CliContext): void {
  const job = program.command('job').description('create, watch and control training jobs');

  job
    .command('create')
    .description('queue a job; prints its id')
    .argument('<job.yaml>', 'job file')
    .option('--set <path=value>', 'override a value of the file, e.g. rollout.groupSize=8; may be repeated', repeat)
    .option('--id <id>', 'id of the job: lower-case letters, digits and "-" (default: made from its name)')
    .option('--data <folder or file>', 'task data, instead of the file’s')
    .option('--from <checkpoint or job>', FROM)
    .action(async (file: string, options: { set?: string[]; id?: string; data?: string; from?: string }) => {
      const { loadJobConfig } = await import('../../../src/config/load.ts');
      const { config } = loadJobConfig(file, {
        env: context.env,
        overrides: options.set ?? [],
        flags: { data: options.data },
        cwd: context.cwd,
      });
      const created = await context.withAdmin(async (admin) => {
        const from = weightsFrom(options.from, context.cwd);
        const request = { jobId: options.id ?? '', configJson: JSON.stringify(config), from };
        const { createJob } = await import('../create-job.ts');
        return createJob(admin, request, context);
      });
      const { jobJson } = await import('../job-view.ts');
      context.print(jobJson(created), () => `${created.id}\n`);
      if (!context.json) context.note(`queued; follow it with: millrace job watch ${created.id}`);
    });

  job
    .command('list')
    .description('all jobs, newest first')
    .option('--limit <count>', 'most jobs to show, 1 to 100000', '50')
    .action(async (options: { limit: string }) => {
      const limit = wholeNumber(options.limit, '--limit', 1, 100_000);
      const jobs = await context.withAdmin((admin) => listJobs(admin, limit));
      const { jobJson, jobTable } = await import('../job-view.ts');
      context.print(jobs.map(jobJson), () => jobTable(jobs, Date.now()));
    });

  job
    .command('describe')
    .description('state, what it waits for, progress, accounting and evaluations')
    .argument('<id>', 'job')
    .action(async (jobId: string) => {
      const found = await context.withAdmin(async (admin) => present((await admin.getJob({ jobId })).job));
      const { describeJob, jobJson } = await import('../job-view.ts');
      context.print(jobJson(found), () => describeJob(found, Date.now()));
    });

  job
    .command('watch')
    .description('show progress until the job has ended; exit code 1 when it did not succeed')
    .argument('<id>', 'job')
    .action(async (jobId: string) => {
      const { watchJob } = await import('../watch-job.ts');
      context.exitCode = await watchJob(jobId, context);
    });

  control('cancel', 'end a job after the round in progress', (admin, jobId) => admin.cancelJob({ jobId }));
  control('pause', 'stop admitting rollouts; what was accepted still ends', (admin, jobId) => admin.pauseJob({ jobId }));
  control('resume', 'go on with a paused or failed job', (admin, jobId) => admin.resumeJob({ jobId }, { timeoutMs: 60_000 }));

  function control(
    name: string,
    description: string,
    call: (admin: AdminClient, id: string) => Promise<{ job?: Job | undefined }>,
  ): void {
    job
      .command(name)
      .description(description)
      .argument('<id>', 'job')
      .action(async (jobId: string) => {
        const changed = await context.withAdmin(async (admin) => present((await call(admin, jobId)).job));
        const [{ jobJson }, { stateName }] = await Promise.all([import('../job-view.ts'), import('../progress.ts')]);
        context.print(jobJson(changed), () => `${changed.id} is ${stateName(changed.state)}\n`);
        if (!context.json && changed.waitingFor !== '') context.note(`waiting for ${changed.waitingFor}`);
      });
  }
}

async function listJobs(admin: AdminClient, limit: number): Promise<Job[]> {
  const jobs: Job[] = [];
  for (let pageToken = ''; ;) {
    const page = await admin.listJobs({ pageSize: Math.min(1000, limit - jobs.length), pageToken });
    jobs.push(...page.jobs);
    pageToken = page.nextPageToken;
    if (pageToken === '' || jobs.length >= limit) return jobs;
  }
}

function present(job: Job | undefined): Job {
  if (job) return job;
  throw new MillraceError('internal', 'The server has answered without a job; is it of another version?');
}

function repeat(value: string, before: string[] = []): string[] {
  return [...before, value];
}
