import type { Command } from 'commander';
import type { Job } from '../../../../src/gen/millrace/v1/admin_pb.ts';
import { answeredJob } from '../../answered-job.ts';
import type { AdminClient } from '../../admin-client.ts';
import { confirm } from '../../confirm.ts';
import type { CliContext } from '../../context.ts';
import { collectOption } from '../../repeated-option.ts';

/** A command that changes jobs. */
interface Control {
  name: string;
  description: string;
  /** The states that `--all` means, in words. */
  acts: string;
  /** What several jobs lose, e.g. "Cancelling"; asks before that. Default: nothing is lost. */
  loses?: string;
  call: (admin: AdminClient, jobId: string) => Promise<{ job?: Job | undefined }>;
}

const CONTROLS: readonly Control[] = [
  {
    name: 'cancel',
    description: 'cancel jobs at once; their checkpoints and rows stay',
    acts: 'queued, running or paused',
    loses: 'Cancelling',
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

function registerControl(job: Command, context: CliContext, { name, description, acts, loses, call }: Control): void {
  const command = job
    .command(name)
    .description(description)
    .argument('[id...]', 'jobs')
    .option('--all', `all ${acts} jobs`)
    .option('--status <states>', 'all jobs in these states, comma-separated', collectOption)
    .action(async (ids: string[], options: { all?: boolean; status?: string[]; yes?: boolean }) => {
      const [{ jobJson }, { stateName }, { changeJobs, failureOf, selectedJobs }] = await Promise.all([
        import('../../job-view.ts'),
        import('../../progress.ts'),
        import('../../job-selection.ts'),
      ]);
      const changes = await context.withAdmin(async (admin) => {
        const selected = await selectedJobs(admin, { ids, ...options }, acts.split(/, | or /));
        // Who names jobs has said which; of --all and --status it is seen here which they are.
        if (loses !== undefined && ids.length === 0 && selected.length > 0)
          await confirm(`${loses} ${selected.join(', ')}`, options.yes, context);
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
  if (loses !== undefined) command.option('--yes', 'with --all or --status: do not ask; a cancelled job cannot be resumed');
}
