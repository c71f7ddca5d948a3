import type { Command } from 'commander';
import type { Job } from '../../../../src/gen/millrace/v1/admin_pb.ts';
import { answeredJob } from '../../answered-job.ts';
import type { AdminClient } from '../../admin-client.ts';
import type { CliContext } from '../../context.ts';
import { collectOption } from '../../repeated-option.ts';

/** A command that changes jobs. */
interface Control {
  name: string;
  description: string;
  /** The states that `--all` means, in words. */
  acts: string;
  call: (admin: AdminClient, jobId: string) => Promise<{ job?: Job | undefined }>;
}

const CONTROLS: readonly Control[] = [
  {
    name: 'cancel',
    description: 'cancel jobs at once',
    acts: 'queued, running or paused',
    call: (admin, jobId) => admin.cancelJob({ jobId }),
  },
  {
    name: 'pause',
    description: 'stop sending requests; those in progress finish',
    acts: 'running',
    call: (admin, jobId) => admin.pauseJob({ jobId }),
  },
  {
    name: 'resume',
    description: 'continue paused or failed jobs',
    acts: 'paused',
    call: (admin, jobId) => admin.resumeJob({ jobId }, { timeoutMs: 60_000 }),
  },
];

/** `millrace job cancel`, `pause` and `resume`. */
export function register(job: Command, context: CliContext): void {
  for (const control of CONTROLS) registerControl(job, context, control);
}

function registerControl(job: Command, context: CliContext, { name, description, acts, call }: Control): void {
  job
    .command(name)
    .description(description)
    .argument('[id...]', 'jobs')
    .option('--all', `all ${acts} jobs`)
    .option('--status <states>', 'all jobs in these states, comma-separated', collectOption)
    .action(async (ids: string[], options: { all?: boolean; status?: string[] }) => {
      const [{ jobJson }, { stateName }, { changeJobs, failureOf, selectedJobs }] = await Promise.all([
        import('../../job-view.ts'),
        import('../../progress.ts'),
        import('../../job-selection.ts'),
      ]);
      const changes = await context.withAdmin(async (admin) => {
        const selected = await selectedJobs(admin, { ids, ...options }, acts.split(/, | or /));
        return changeJobs(selected, async (id) => answeredJob((await call(admin, id)).job));
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
