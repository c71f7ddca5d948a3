import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as doctor } from './doctor.ts';
import { register as up } from './up.ts';

/** `millrace cluster …`: the whole of it. */
export function register(program: Command, context: CliContext): void {
  const cluster = program.command('cluster').description('the cluster of this machine: start it, check what it has stored');
  up(cluster, context);
  doctor(cluster, context, 'check');
}
