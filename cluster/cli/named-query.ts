import { MillraceError } from '../../src/errors.ts';
import { namedQuery, type QueryName } from '../../src/store/queries.ts';

/** A named query for a job as plain SQL, which is what the admin API takes: job ids hold nothing that needs quoting. */
export function namedQuerySql(name: QueryName, job: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(job)) {
    throw new MillraceError('invalid_argument', `"${job}" is no job id: lower-case letters, digits and "-".`, { field: '--job' });
  }
  return namedQuery(name).sql.replaceAll('{job:String}', `'${job}'`);
}
