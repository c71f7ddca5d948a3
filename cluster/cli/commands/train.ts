import type { Command } from 'commander';
import { ASSUMPTION_OPTIONS } from '../../report/assumptions.ts';
import type { CliContext } from '../context.ts';
import type { TrainFlags } from '../train.ts';
import { OWNER, PRIORITY_HELP } from '../owner-options.ts';
import { FROM } from '../weights-from.ts';

/** `millrace train`: start a cluster, run one job to its end, report, stop. What `npm start` does. */
export function register(parent: Command, context: CliContext, name = 'train'): void {
  parent
    .command(name)
    .description('start a cluster on this machine, run a job to its end, print a report, and stop everything')
    .argument('[job.yaml]', 'job file; not needed with --resume')
    .option('--data <path>', "folder or file of task data in place of the job's own")
    .option(
      '--set <path=value>',
      'override a value of the job, e.g. rounds=100; may be repeated',
      (value, before: string[] = []) => [...before, value],
    )
    .option('--resume', 'continue the newest interrupted or failed job (of this job file, if given)')
    .option('--from <checkpoint or job>', FROM)
    .option('--owner <name>', OWNER)
    .option('--priority <number>', PRIORITY_HELP)
    .option('--report <file>', 'also write the report as JSON')
    .option(...ASSUMPTION_OPTIONS[0]!)
    .option(...ASSUMPTION_OPTIONS[1]!)
    .option(...ASSUMPTION_OPTIONS[2]!)
    .option('--learners <n>', 'learner processes, or auto: one per GPU, or without GPUs one per core')
    .option('--rollouts <n>', 'rollout processes')
    .option('--gateway-port <port>', 'port of the gateway (HTTP); off: no gateway (default: any free port)')
    .option(
      '--clickhouse-port <port>',
      "port of ClickHouse's HTTP interface; auto: 8123 or any free port; off: none (default: auto)",
    )
    .option('--config <file>', 'settings of the cluster (YAML)')
    .action(async (file: string | undefined, flags: TrainFlags) => {
      const { train } = await import('../train.ts');
      context.exitCode = await train(file, flags, context);
    });
}
