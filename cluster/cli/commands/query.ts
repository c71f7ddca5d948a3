import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';
import { checkQueryName, listQueries, namedQuerySql, parseParameters, queriesJson } from '../named-query.ts';

const collect = (text: string, all: string[]): string[] => [...all, text];

/** `millrace query`: the questions people ask about a job. */
export function register(parent: Command, context: CliContext, verb = 'query'): void {
  parent
    .command(verb)
    .description('run a named query about a job; docs/analytics.md shows all of them')
    .argument('[name]', 'name of the query; without it all queries are listed')
    .option('--job <id>', 'the job; default: the newest one')
    .option('--param <key=value>', 'parameter of the query; may be repeated', collect, [])
    .option('--json', 'one JSON object per row')
    .option('--csv', 'comma-separated values with a header')
    .action(async (name: string | undefined, options: { job?: string; param: string[]; json?: boolean; csv?: boolean }) => {
      if (options.json && options.csv)
        throw new MillraceError('invalid_argument', 'Give --json or --csv, not both.', { field: '--csv' });
      if (name === undefined) return context.print(queriesJson(), listQueries);
      const query = checkQueryName(name);
      const given = parseParameters(options.param);
      // What is wrong is told before the cluster is asked which job is the newest.
      namedQuerySql(query, options.job ?? 'newest', given);
      const [{ newestJob, whyNoRows, withQueries: withAsk }, { rowsAsCsv, rowsAsJson, rowsAsTable }] = await Promise.all([
        import('../run-query.ts'),
        import('../rows.ts'),
      ]);
      const format = options.csv ? rowsAsCsv : options.json || context.json ? rowsAsJson : rowsAsTable;
      await withAsk(context, async (ask) => {
        const job = options.job ?? (await newestJob(ask));
        if (options.job === undefined) context.note(`job ${job}, the newest; --job asks about another`);
        const result = await ask(namedQuerySql(query, job, given), 1000);
        context.stdout.write(format(result));
        if (result.rows.length === 0) context.note(await whyNoRows(ask, job));
      });
    });
}
