import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as evaluate } from './eval.ts';
import { register as exportCommand } from './checkpoint-export.ts';
import { registerCheckpoints } from './job/checkpoints.ts';

/** `millrace checkpoint …`: weights that jobs have written. */
export function register(program: Command, context: CliContext): void {
  const checkpoint = program.command('checkpoint').description('checkpoints of jobs: list, evaluate, export');
  registerCheckpoints(checkpoint, context, 'list');
  evaluate(checkpoint, context, 'evaluate');
  exportCommand(checkpoint, context);
}
