import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as init } from './cluster-init.ts';
import { register as token } from './cluster-token.ts';
import { register as doctor } from './doctor.ts';
import { register as join } from './join.ts';
import { register as openWorkbench } from './open.ts';
import { register as up } from './up.ts';

/** `millrace cluster …`: the whole of it. */
export function register(program: Command, context: CliContext): void {
  const cluster = program
    .command('cluster')
    .description('a cluster: start one on this machine, prepare one of several hosts, let hosts join, check what it has stored');
  up(cluster, context);
  openWorkbench(cluster, context);
  init(cluster, context);
  token(cluster, context);
  join(cluster, context);
  doctor(cluster, context, 'check');
}
