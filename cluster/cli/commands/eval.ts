import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import type { EvalFlags } from '../evaluate.ts';

/** `millrace eval`: run tasks through a checkpoint, in this process. */
export function register(parent: Command, context: CliContext, name = 'eval'): void {
  parent
    .command(name)
    .description('run tasks through a checkpoint: one line of JSON per task, and a summary line')
    .argument(
      '[job.yaml]',
      'job file: the flow and where its world comes from; default: what the job of the checkpoint was created with',
    )
    .requiredOption('--checkpoint <folder>', 'checkpoint to evaluate')
    .option('--tasks <file>', 'JSON, JSONL or CSV file of tasks; default: held-out tasks of the job')
    .option('--task-set <set>', 'which held-out tasks: validation, or test, which should decide nothing', 'validation')
    .option('--samples <count>', 'flows a task, 1 to 64: more than one are sampled, and the summary has pass@k', '1')
    .option('--against <checkpoint>', 'compare with another checkpoint (or: untrained) by a paired test on the same tasks')
    .option('--concurrency <count>', 'concurrent tasks, 1 to 1024', '16')
    .option('--allow-failed <count>', 'exit with 0 even if this many tasks failed for infrastructure reasons', '0')
    .option('--data <path>', "folder or file of task data in place of the job's own")
    .option('--set <path=value>', 'override a value of the job; may be repeated', (value, before: string[] = []) => [
      ...before,
      value,
    ])
    .action(async (file: string | undefined, flags: EvalFlags) => {
      const { evaluate } = await import('../evaluate.ts');
      await evaluate(file, flags, context);
    });
}
