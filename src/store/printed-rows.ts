import type { Run } from './migrate.ts';

/** Rows of a statement, values as text. */
export async function printedRows(run: Run, sql: string): Promise<string[][]> {
  const printed = await run(`${sql} FORMAT JSONCompactStringsEachRow`);
  return printed
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as string[]);
}
