import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as exportCommand } from './export.ts';
import { register as importCommand } from './import.ts';
import { registerReward } from './trajectory-reward.ts';

/** `millrace trajectory …`: trajectories as files, and rewards of live ones. */
export function register(program: Command, context: CliContext): void {
  const trajectory = program.command('trajectory').description('trajectories: export, import, rewards of live tasks');
  exportCommand(trajectory, context);
  importCommand(trajectory, context);
  registerReward(trajectory, context);
}
