import type { Command } from 'commander';
import { parseAge } from '../../../src/config/age.ts';
import type { CliContext } from '../context.ts';

/** `millrace store …`: what the trajectory store takes on disk. */
export function register(program: Command, context: CliContext): void {
  const store = program.command('store').description('size of the trajectory store; delete old rows');

  store
    .command('stats')
    .description('rows, bytes and ages by table and by job')
    .action(async () => {
      const [{ readStoreStats }, { statsJson, statsText }] = await Promise.all([
        import('../store-care.ts'),
        import('../store-view.ts'),
      ]);
      const stats = await readStoreStats(context);
      context.print(statsJson(stats), () => statsText(stats));
    });

  store
    .command('prune')
    .description('delete old rows of ended jobs; a job with only old rows is deleted completely')
    .requiredOption('--older-than <age>', 'rows that arrived longer ago than this: 12h, 30d, 8w')
    .option('--job <id>', 'only rows of this job', '')
    .option('--dry-run', 'show what would be deleted, without deleting it', false)
    .action(async ({ olderThan, job, dryRun }: { olderThan: string; job: string; dryRun: boolean }) => {
      const olderThanSeconds = parseAge(olderThan, '--older-than');
      const [{ requestPrune }, { pruneJson, pruneText }] = await Promise.all([
        import('../store-care.ts'),
        import('../store-view.ts'),
      ]);
      const pruned = await requestPrune(context, { olderThanSeconds, job, dryRun });
      context.print(pruneJson(pruned), () => pruneText(pruned, dryRun));
    });
}
