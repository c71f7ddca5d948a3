import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEmbeddedStore } from '../src/store/embedded.ts';
import type { EmbeddedStore } from '../src/store/embedded.ts';
import { isQueryName, namedQuery, QUERY_NAMES, queryParameters, queryText } from '../src/store/queries.ts';
import { TABLE_NAMES } from '../src/records/tables.ts';

/** A command of the page, with what it printed. */
interface Shown {
  command: string;
  sql: string;
  /** Column names, as printed. */
  header: string[];
}

const page = readFileSync(new URL('analytics.md', import.meta.url), 'utf8');
const shown: Shown[] = [...page.matchAll(/```\n\$ (npx millrace [^\n]+)\n([^\n]+)\n/g)].map(([, command, header]) => ({
  command: command!,
  sql: sqlOf(command!),
  header: header!.trim().split(/\s{2,}/),
}));

function sqlOf(command: string): string {
  const sql = /^npx millrace sql "(.*)"$/.exec(command)?.[1];
  if (sql !== undefined) return sql;
  const [, name = '', rest = ''] = /^npx millrace query ([\w-]+)(.*)$/.exec(command) ?? [];
  if (!isQueryName(name)) throw new Error(`${command}: no such query`);
  const given = Object.fromEntries([...rest.matchAll(/--param (\w+)=(\S+)/g)].map(([, key, value]) => [key!, value!]));
  const query = namedQuery(name);
  return queryText(query, queryParameters(query, /--job (\S+)/.exec(rest)?.[1] ?? 'retail-1', given));
}

describe('analytics.md', () => {
  const path = mkdtempSync(join(tmpdir(), 'millrace-analytics-'));
  let store: EmbeddedStore;
  beforeAll(async () => {
    store = await openEmbeddedStore({ path });
    await store.migrate();
  });
  afterAll(async () => {
    await store.close();
    rmSync(path, { recursive: true, force: true });
  });

  it('shows every named query and every view', async () => {
    const asked = new Set(shown.map(({ command }) => /query ([\w-]+)/.exec(command)?.[1]));
    expect(QUERY_NAMES.filter((name) => !asked.has(name))).toEqual([]);
    const { rows } = await store.query(
      `SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' ORDER BY name`,
    );
    const views = rows.map(([name]) => String(name));
    expect(views.length).toBeGreaterThan(8);
    const statements = shown.map(({ sql }) => sql).join('\n');
    expect(views.filter((view) => !new RegExp(`\\b${view}\\b`).test(statements))).toEqual([]);
    expect([...views, ...TABLE_NAMES].filter((name) => !page.includes(`| \`${name}\``))).toEqual([]);
  });

  it.each(shown.map(({ command }) => command))('%s runs, with the columns that are shown', async (command) => {
    const { sql, header } = shown.find((one) => one.command === command)!;
    const { columns } = await store.query(sql);
    expect(columns.map(({ name }) => name)).toEqual(header);
  });
});
