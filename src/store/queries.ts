import { readFileSync } from 'node:fs';

/** The named queries of src/store/queries; each takes {job:String}. */
export const QUERY_NAMES = [
  'success-by-version',
  'tool-use',
  'time',
  'failures',
  'staleness',
  'why',
  'exploration',
  'curriculum',
  'reward-components',
] as const;

export type QueryName = (typeof QUERY_NAMES)[number];

/** A question and the SQL that answers it. */
export interface NamedQuery {
  name: QueryName;
  /** What it answers, in a sentence. */
  title: string;
  /** Takes the parameter `job`. */
  sql: string;
}

/** Reads a named query. */
export function namedQuery(name: QueryName): NamedQuery {
  const sql = readFileSync(new URL(`./queries/${name}.sql`, import.meta.url), 'utf8');
  const comment = sql.split('\n').filter((line) => line.startsWith('-- '));
  return { name, title: comment.map((line) => line.slice(3).trim()).join(' '), sql: sql.trim() };
}
