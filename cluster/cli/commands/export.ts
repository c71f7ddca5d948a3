import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { ExportFlags } from '../export-command.ts';

/** `millrace export`: trajectories as files for other tools. */
export function register(program: Command, context: CliContext): void {
  program
    .command('export')
    .description('write trajectories as JSON lines or Parquet')
    .option('--format <format>', 'jsonl (one interaction a line) or parquet (the rows of the table)', 'jsonl')
    .option('--out <file>', 'file to write; "-" is the standard output, for jsonl', '-')
    .option('--steps', 'one line or row a step instead of one a trajectory')
    .option('--inputs <job.yaml>', 'fill in what the planner saw first of each task, from the flow and the tasks of this job')
    .option('--resume', 'go on with an export to the same file that was interrupted')
    .option('--job <id>', 'of one job')
    .option('--task <id>', 'of one task')
    .option('--purpose <purpose>', 'train or evaluate')
    .option('--success <boolean>', 'true or false')
    .option('--from-version <version>', 'of this policy version or a later one')
    .option('--to-version <version>', 'of this policy version or an earlier one')
    .option('--since <time>', 'flows that began at this time (ISO 8601) or later')
    .option('--until <time>', 'flows that began before this time')
    .option('--where <condition>', 'SQL condition over the columns of table trajectories, e.g. "reward > 0 AND steps < 10"')
    .action(async (flags: ExportFlags) => {
      const { runExport } = await import('../export-command.ts');
      await runExport(flags, context);
    });
}
