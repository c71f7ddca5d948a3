import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as exportCommand } from './export.ts';
import { register as importCommand } from './import.ts';

/** `millrace trajectory …`: trajectories as files. */
export function register(program: Command, context: CliContext): void {
  const trajectory = program.command('trajectory').description('trajectories as files: export, import');
  exportCommand(trajectory, context);
  importCommand(trajectory, context);
}
