import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { TuneFlags } from '../tune.ts';

/** `millrace tune`: start a cluster, search for the settings that train a job best, report, stop. */
export function register(parent: Command, context: CliContext, name = 'tune'): void {
  parent
    .command(name)
    .description('search for the settings that train a job best: every trial is a job on a cluster of this machine')
    .argument('<tune.yaml>', 'what to search: the job file, its parameters, the objective, the number of trials')
    .option('--data <path>', "folder or file of task data in place of the job's own")
    .option(
      '--set <path=value>',
      'override a value of the job in all trials; may be repeated',
      (value, before: string[] = []) => [...before, value],
    )
    .option('--resume', 'continue the interrupted search')
    .option('--json <file>', 'also write the result as JSON')
    .option('--learners <n>', 'learner processes, or auto: one per GPU, or without GPUs one per core')
    .option('--rollouts <n>', 'rollout processes')
    .option('--config <file>', 'settings of the cluster (YAML)')
    .action(async (file: string, flags: TuneFlags) => {
      const { tune } = await import('../tune.ts');
      context.exitCode = await tune(file, flags, context);
    });
}
