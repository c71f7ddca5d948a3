import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as checkpoints } from './job/checkpoints.ts';
import { register as control } from './job/control.ts';
import { register as create } from './job/create.ts';
import { register as setPriority } from './job/set-priority.ts';
import { register as show } from './job/show.ts';

/** `millrace job …`: training jobs of a running cluster. */
export function register(program: Command, context: CliContext): void {
  const job = program.command('job').description('create, watch and control training jobs');
  for (const subcommands of [create, show, control, setPriority, checkpoints]) subcommands(job, context);
}
