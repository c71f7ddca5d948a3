import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExportFlags } from '../export-command.ts';

/** `millrace export`: trajectories as files for other tools. */
export function register(parent: Command, context: CliContext, name = 'export'): void {
  parent
    .command(name)
    .description('write trajectories as JSON lines, Parquet, or conversations')
    .option(
      '--format <format>',
      'jsonl (one interaction per line), parquet (the rows of the table), or conversations (what agents said where they ' +
        'succeeded in training, as JSON lines to imitate)',
      'jsonl',
    )
    .option('--out <file>', 'file to write; "-" is the standard output, for jsonl', '-')
    .option('--steps', 'one line or row per step instead of per trajectory')
    .option('--inputs <job.yaml>', 'fill in the first observation of each task, from the flow and the tasks of this job')
    .option('--resume', 'continue an interrupted export to the same file')
    .option('--job <id>', 'only this job')
    .option('--task <id>', 'only this task')
    .option('--purpose <purpose>', 'train or evaluate')
    .option('--success <boolean>', 'true or false')
    .option('--from-version <version>', 'this policy version or later')
    .option('--to-version <version>', 'this policy version or earlier')
    .option('--since <time>', 'flows that started at this time (ISO 8601) or later')
    .option('--until <time>', 'flows that started before this time')
    .option('--where <condition>', 'SQL condition over the columns of table trajectories, e.g. "reward > 0 AND steps < 10"')
    .action(async (flags: ExportFlags) => {
      const { runExport } = await import('../export-command.ts');
      await runExport(flags, context);
    });
}
