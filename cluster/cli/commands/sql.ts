import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';

/** `millrace sql`: one read-only statement on the trajectory store. */
export function register(parent: Command, context: CliContext, name = 'sql'): void {
  parent
    .command(name)
    .description('query the trajectory store')
    .argument('<statement>', 'SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN or WITH statement; "-" reads it from the standard input')
    .option('--json', 'one JSON object per row')
    .option('--csv', 'comma-separated values with a header')
    .option('--limit <rows>', 'maximum number of rows, 1 to 100000', '10000')
    .action(async (statement: string, options: { json?: boolean; csv?: boolean; limit: string }) => {
      if (options.json && options.csv)
        throw new MillraceError('invalid_argument', 'Give --json or --csv, not both.', { field: '--csv' });
      if (!/^\d+$/.test(options.limit) || Number(options.limit) < 1 || Number(options.limit) > 100_000) {
        throw new MillraceError('invalid_argument', `--limit: got "${options.limit}", expected 1 to 100000.`, {
          field: '--limit',
        });
      }
      const sql = statement === '-' ? await readAll(context.stdin) : statement;
      const [{ withQueries: withAsk }, { rowsAsCsv, rowsAsJson, rowsAsTable }] = await Promise.all([
        import('../run-query.ts'),
        import('../rows.ts'),
      ]);
      const result = await withAsk(context, (ask) => ask(sql, Number(options.limit)));
      const format = options.csv ? rowsAsCsv : options.json || context.json ? rowsAsJson : rowsAsTable;
      context.stdout.write(format(result));
      if (result.truncated) context.note(`only the first ${result.rows.length} rows are shown; more with --limit, or aggregate`);
    });
}

async function readAll(stream: NodeJS.ReadableStream | undefined): Promise<string> {
  let text = '';
  if (stream === undefined) return text;
  for await (const chunk of stream) text += String(chunk);
  return text;
}
