import type { Command } from 'commander';
import { PRIORITY } from '../../../../src/config/owner.ts';
import { answeredJob } from '../../answered-job.ts';
import type { CliContext } from '../../context.ts';
import { wholeNumber } from '../../whole-number.ts';

/** `millrace job set-priority`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('set-priority')
    .description('change the priority of a job: waiting jobs with a higher one run first')
    .argument('<id>', 'job')
    .argument('<priority>', `${PRIORITY.min} to ${PRIORITY.max}; before a negative one write --`)
    .action(async (jobId: string, text: string) => {
      const priority = wholeNumber(text, 'priority', PRIORITY.min, PRIORITY.max);
      const changed = await context.withAdmin(async (admin) =>
        answeredJob((await admin.setJobPriority({ jobId, priority })).job),
      );
      const { jobJson } = await import('../../job-view.ts');
      context.print(jobJson(changed), () => `${changed.id} has priority ${changed.priority}\n`);
    });
}
