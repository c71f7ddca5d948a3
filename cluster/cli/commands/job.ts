import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { register as checkpoints } from './job/checkpoints.ts';
import { register as control } from './job/control.ts';
import { register as create } from './job/create.ts';
import { register as evaluate } from './job/evaluate.ts';
import { register as report } from './job/report.ts';
import { register as setBudget } from './job/set-budget.ts';
import { register as setPriority } from './job/set-priority.ts';
import { register as estimate } from './job/estimate.ts';
import { register as show } from './job/show.ts';
import { register as train } from './train.ts';
import { register as tune } from './tune.ts';

/** `millrace job …`: training jobs of a running cluster; `run` and `tune` start one of their own. */
export function register(program: Command, context: CliContext): void {
  const job = program.command('job').description('create, watch and control training jobs');
  for (const subcommands of [create, show, control, setBudget, setPriority, checkpoints, evaluate, report, estimate])
    subcommands(job, context);
  train(job, context, 'run');
  tune(job, context);
}
