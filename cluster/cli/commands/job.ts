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
    .option('--status <states>', 'those in one of these states, with commas between, e.g. running,paused', repeat)
    .action(async (options: { limit: string; status?: string[] }) => {
      const limit = wholeNumber(options.limit, '--limit', 1, 100_000);
      const [{ listJobs, parseStates }, { stateName }, { jobJson, jobTable }] = await Promise.all([
        import('../job-selection.ts'),
        import('../progress.ts'),
        import('../job-view.ts'),
      ]);
      const states = options.status === undefined ? undefined : parseStates(options.status);
      const wanted = (one: Job): boolean => states === undefined || states.has(stateName(one.state));
      const jobs = await context.withAdmin((admin) => listJobs(admin, limit, wanted));
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

  control('cancel', 'end jobs after the round in progress', 'queued, running or paused', (admin, jobId) =>
    admin.cancelJob({ jobId }),
  );
  control('pause', 'stop admitting rollouts; what was accepted still ends', 'running', (admin, jobId) =>
    admin.pauseJob({ jobId }),
  );
  control('resume', 'go on with paused or failed jobs', 'paused', (admin, jobId) =>
    admin.resumeJob({ jobId }, { timeoutMs: 60_000 }),
  );

  /** @param acts - the states that `--all` means, in words */
  function control(
    name: string,
    description: string,
    acts: string,
    call: (admin: AdminClient, id: string) => Promise<{ job?: Job | undefined }>,
  ): void {
    job
      .command(name)
      .description(description)
      .argument('[id...]', 'jobs')
      .option('--all', `all that are ${acts}`)
      .option('--status <states>', 'all in one of these states, with commas between', repeat)
      .action(async (ids: string[], options: { all?: boolean; status?: string[] }) => {
        const [{ jobJson }, { stateName }, { changeJobs, failureOf, selectedJobs }] = await Promise.all([
          import('../job-view.ts'),
          import('../progress.ts'),
          import('../job-selection.ts'),
        ]);
        const changes = await context.withAdmin(async (admin) => {
          const selected = await selectedJobs(admin, { ids, ...options }, acts.split(/, | or /));
          return changeJobs(selected, async (id) => present((await call(admin, id)).job));
        });
        const { changed } = changes;
        const single = ids.length === 1;
        // Of one job that was named it is the job, as before; of several a list, also when there is one of them or none.
        if (changed.length > 0 || !single)
          context.print(single ? jobJson(changed[0]!) : changed.map(jobJson), () =>
            changed.map((one) => `${one.id} is ${stateName(one.state)}\n`).join(''),
          );
        if (!context.json)
          for (const { id, waitingFor } of changed)
            if (waitingFor !== '') context.note(`${single ? '' : `${id} is `}waiting for ${waitingFor}`);
        if (!single && changes.failed.length + changed.length === 0) context.note('no job is in such a state');
        const failure = failureOf(changes);
        if (failure !== undefined) throw failure;
      });
  }
}

function present(job: Job | undefined): Job {
  if (job) return job;
  throw new MillraceError('internal', 'The server has answered without a job; is it of another version?');
}

function repeat(value: string, before: string[] = []): string[] {
  return [...before, value];
}
