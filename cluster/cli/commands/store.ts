import type { Command } from 'commander';
import { parseAge } from '../../../src/config/age.ts';
import { confirm, YES } from '../confirm.ts';
import type { CliContext } from '../context.ts';
import { register as query } from './query.ts';
import { register as sql } from './sql.ts';

/** `millrace store …`: what the trajectory store takes on disk. */
export function register(program: Command, context: CliContext): void {
  const store = program.command('store').description('the trajectory store: ask it, its size, delete old rows');
  query(store, context);
  sql(store, context);

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
    .option('--yes', YES, false)
    .action(async ({ olderThan, job, dryRun, yes }: { olderThan: string; job: string; dryRun: boolean; yes: boolean }) => {
      const olderThanSeconds = parseAge(olderThan, '--older-than');
      const what = `Deleting rows of ${job === '' ? 'ended jobs' : `job ${job}`} older than ${olderThan}`;
      if (!dryRun) await confirm(what, yes, context);
      const [{ requestPrune }, { pruneJson, pruneText }] = await Promise.all([
        import('../store-care.ts'),
        import('../store-view.ts'),
      ]);
      const pruned = await requestPrune(context, { olderThanSeconds, job, dryRun });
      context.print(pruneJson(pruned), () => pruneText(pruned, dryRun));
    });
}
