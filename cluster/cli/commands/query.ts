import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import { namedQuery, QUERY_NAMES, type QueryName } from '../../../src/store/queries.ts';
import type { CliContext } from '../context.ts';
import { namedQuerySql } from '../named-query.ts';

/** `millrace query`: the questions people ask about a job. */
export function register(program: Command, context: CliContext): void {
  program
    .command('query')
    .description('answer a question about a job from the trajectory store')
    .argument('[name]', `one of ${QUERY_NAMES.join(', ')}; lists them when left out`)
    .option('--job <id>', 'the job; default: the newest one')
    .option('--json', 'one JSON object a row')
    .option('--csv', 'comma-separated values with a header')
    .action(async (name: string | undefined, options: { job?: string; json?: boolean; csv?: boolean }) => {
      if (name === undefined) {
        for (const known of QUERY_NAMES) context.stdout.write(`${known.padEnd(20)} ${namedQuery(known).title}\n`);
        return;
      }
      if (!(QUERY_NAMES as readonly string[]).includes(name)) {
        throw new MillraceError('invalid_argument', `"${name}" is no named query; use one of ${QUERY_NAMES.join(', ')}.`, {
          field: 'name',
        });
      }
      const [{ newestJob, runQuery }, { rowsAsCsv, rowsAsJson, rowsAsTable }] = await Promise.all([
        import('../run-query.ts'),
        import('../rows.ts'),
      ]);
      const job = options.job ?? (await newestJob(context));
      const result = await runQuery(context, namedQuerySql(name as QueryName, job), 1000);
      const format = options.csv ? rowsAsCsv : options.json || context.json ? rowsAsJson : rowsAsTable;
      context.stdout.write(format(result));
    });
}
