import { z } from 'zod';
import { MillraceError } from '../../../src/errors.ts';
import type { QueryResponse } from '../../../src/gen/millrace/v1/admin_pb.ts';
import { isQueryName, namedQuery, QUERY_NAMES, queryParameters, queryText } from '../../../src/store/queries.ts';
import type { Coordinator } from './coordinator.ts';
import { checked } from './params.ts';
import type { MethodContext, RpcMethod } from './route.ts';

const rows = z.int().min(1).max(10_000).default(1000);
const sqlParams = z.strictObject({
  /** One statement that reads. */
  sql: z.string().min(1).max(100_000),
  /** The answer holds at most so many. */
  max_rows: rows,
});
const namedParams = z.strictObject({
  /** One of `query.list`. */
  name: z.string(),
  job_id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
  /** Of the query, as texts. */
  parameters: z.record(z.string(), z.string()).default({}),
  max_rows: rows,
});

/** The methods `query.*`: the store, read-only, as `millrace sql` and `millrace query` ask it. */
export function queryMethods(coordinator: Coordinator): Readonly<Record<string, RpcMethod>> {
  return {
    async 'query.sql'(params, options) {
      const { sql, max_rows: maxRows } = checked(sqlParams, params);
      return answered(coordinator, sql, maxRows, options);
    },
    async 'query.run'(params, options) {
      const { name, job_id: job, parameters, max_rows: maxRows } = checked(namedParams, params);
      if (!isQueryName(name))
        throw new MillraceError('invalid_argument', `"${name}" is not a named query; use one of ${QUERY_NAMES.join(', ')}.`, {
          field: 'name',
        });
      const query = namedQuery(name);
      const sql = queryText(query, queryParameters(query, job, parameters));
      return { sql, ...(await answered(coordinator, sql, maxRows, options)) };
    },
    async 'query.list'() {
      return QUERY_NAMES.map((name) => {
        const { title, parameters, template } = namedQuery(name);
        return { name, title, parameters, sql: template };
      });
    },
  };
}

interface Answer {
  columns: { name: string; type: string }[];
  rows: unknown[];
  truncated: boolean;
}

async function answered(coordinator: Coordinator, sql: string, maxRows: number, options: MethodContext): Promise<Answer> {
  return coordinator.call((admin) => collected(admin.query({ sql, maxRows }, options)));
}

async function collected(responses: AsyncIterable<QueryResponse>): Promise<Answer> {
  const answer: Answer = { columns: [], rows: [], truncated: false };
  for await (const { columns, types, rowsJson, truncated } of responses) {
    if (columns.length > 0) answer.columns = columns.map((name, i) => ({ name, type: types[i] ?? '' }));
    for (const row of rowsJson) answer.rows.push(JSON.parse(row));
    answer.truncated = truncated;
  }
  return answer;
}
