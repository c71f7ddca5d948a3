import type { Command } from 'commander';
import type { CliContext } from '../../context.ts';
import { collectOption } from '../../repeated-option.ts';
import { wholeNumber } from '../../whole-number.ts';

/** `millrace job estimate`. */
export function register(job: Command, context: CliContext): void {
  job
    .command('estimate')
    .description('run a few groups here, and say what the whole job will take: tokens, cost, rollout time, disk')
    .argument('<job.yaml>', 'job file')
    .option('--groups <count>', 'groups of the probe, 1 to 1000', '3')
    .option('--set <path=value>', 'override a value of the file; may be repeated', collectOption)
    .option('--data <folder or file>', 'task data, in place of that of the file')
    .action(async (file: string, options: { groups: string; set?: string[]; data?: string }) => {
      const groups = wholeNumber(options.groups, '--groups', 1, 1000);
      const { estimate, estimateText } = await import('../../estimate.ts');
      const found = await estimate(file, { ...options, groups }, context);
      context.print({ ...found }, () => estimateText(found));
    });
}
