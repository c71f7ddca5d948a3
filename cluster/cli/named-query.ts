import { MillraceError } from '../../src/errors.ts';
import { namedQuery, type QueryName } from '../../src/store/queries.ts';
import type { QueryResult } from '../../src/store/store.ts';
import { collectQuery } from '../admin/query-rows.ts';
import type { AdminClient } from './context.ts';

/** Runs a named query for a job over the admin API, which takes plain SQL: job ids hold nothing that needs quoting. */
export function runNamedQuery(admin: AdminClient, name: QueryName, job: string, signal?: AbortSignal): Promise<QueryResult> {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(job)) {
    throw new MillraceError('invalid_argument', `"${job}" is no job id: lower-case letters, digits and "-".`, { field: '--job' });
  }
  const sql = namedQuery(name).sql.replaceAll('{job:String}', `'${job}'`);
  return collectQuery(admin.query({ sql, maxRows: 1000 }, signal ? { signal } : {}));
}
