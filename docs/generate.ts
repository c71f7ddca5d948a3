/** Writes the tables of the docs that follow from the code, or with --check says which are not what the code gives. */
import { readFileSync, writeFileSync } from 'node:fs';
import { OPTIONS_MARKER, optionsTable } from '../bench/algorithms/reference.ts';
import { clusterConfigSchema } from '../src/config/cluster.ts';
import { jobConfigSchema } from '../src/config/job.ts';
import { settingsTable } from '../src/config/reference.ts';
import { llamaSettings } from '../src/policy/llama/settings.ts';

/** By page and marker: `<!-- job settings -->` … `<!-- /job settings -->`. */
const TABLES: readonly { page: string; marker: string; table: () => string }[] = [
  { page: 'configuration.md', marker: 'job settings', table: () => settingsTable(jobConfigSchema) },
  { page: 'configuration.md', marker: 'cluster settings', table: () => settingsTable(clusterConfigSchema) },
  { page: 'models.md', marker: 'llama settings', table: () => settingsTable(llamaSettings) },
  { page: 'algorithms.md', marker: OPTIONS_MARKER, table: optionsTable },
];

/** Pages whose tables are not what the code gives, as `page: marker`; with `write` they are then. */
export function outdatedTables(write: boolean): string[] {
  return TABLES.flatMap(({ page, marker, table }) => {
    const file = new URL(page, import.meta.url);
    const text = readFileSync(file, 'utf8');
    const between = new RegExp(`(<!-- ${marker} -->\n)[\\s\\S]*?(\n<!-- /${marker} -->)`);
    if (!between.test(text)) throw new Error(`docs/${page} lacks the marker ${marker}`);
    const wanted = text.replace(between, (_, begin: string, end: string) => `${begin}\n${table()}\n${end}`);
    if (wanted === text) return [];
    if (write) writeFileSync(file, wanted);
    return [`${page}: ${marker}`];
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const check = process.argv.includes('--check');
  const outdated = outdatedTables(!check);
  if (check && outdated.length > 0) {
    process.stderr.write(
      `tables of docs/ are not what the code gives (${outdated.join(', ')}): run "npm run generate" and commit the result\n`,
    );
    process.exitCode = 1;
  }
}
