import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { RunFlags } from '../run-command.ts';
import { collectOption } from '../repeated-option.ts';

/** `millrace agent run`, for short `millrace run`: runs a flow or a workflow without training. */
export function register(parent: Command, context: CliContext): void {
  parent
    .command('run')
    .description('run a flow or workflow once, or for each task of a file, with models of a models file')
    .argument('<flow>', 'module of the flow or workflow')
    .option('--prompt <text>', 'what the flow is to do; the input of a workflow')
    .option('--task <json>', 'the task, as the flow wants it, or the input of a workflow; @FILE reads it from a file')
    .option('--tasks <file>', 'file of tasks (.json, .jsonl, .csv): a line of JSON is printed for each')
    .option(
      '--model <name>',
      'model that decides, or ROLE=NAME for another role; may be repeated (default: the rule of the flow)',
      collectOption,
    )
    .option('--models <file>', 'file of models and providers (default: MILLRACE_MODELS, else models.yaml)')
    .option('--temperature <number>', 'temperature of what decides, 0 to 2 (default: that of the provider)')
    .option('--concurrency <count>', 'tasks at a time, with --tasks (default: 4)')
    .action(async (path: string, flags: RunFlags) => {
      const { runCommand } = await import('../run-command.ts');
      await runCommand(context, path, flags);
    });
}
