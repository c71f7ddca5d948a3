import type { Command } from 'commander';
import { ASSUMPTION_OPTIONS, assumptionsOf, type AssumptionFlags } from '../../../report/assumptions.ts';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';

/** `millrace job report`, short `millrace report`. */
export function register(parent: Command, context: CliContext): void {
  const command = parent
    .command('report')
    .description('what the training of a job came to: success before and after, with intervals and verdicts')
    .argument('<job>', 'job');
  for (const [flag, description] of ASSUMPTION_OPTIONS) command.option(flag, description);
  command.action(async (jobId: string, flags: AssumptionFlags) => {
    const assumptions = assumptionsOf(flags);
    const [{ outcomeOf }, { outcomeText }] = await Promise.all([
      import('../../../report/outcome.ts'),
      import('../../../report/outcome-text.ts'),
    ]);
    const job = await context.withAdmin(async (admin) => answeredJob((await admin.getJob({ jobId })).job));
    const outcome = outcomeOf(job, assumptions);
    context.print({ job: job.id, ...outcome }, () => `${outcomeText(outcome) || `${job.id} has not been measured yet`}\n`);
  });
}
