import type { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';

/** Options of `MillraceClient.query`. */
export interface QueryOptions extends CallOptions {
  /** 1 to 100_000. Default 10_000. */
  maxRows?: number | undefined;
}

/** What a statement gave. */
export interface QueryRows {
  columns: { name: string; type: string }[];
  /** Integers of 64 bits and more are strings. */
  rows: unknown[][];
  /** Rows were left out. */
  truncated: boolean;
}

/** See `MillraceClient.query`. */
export async function runQuery(
  admin: ServiceClient<typeof AdminService>,
  sql: string,
  { maxRows = 0, ...options }: QueryOptions = {},
): Promise<QueryRows> {
  const result: QueryRows = { columns: [], rows: [], truncated: false };
  for await (const { columns, types, rowsJson, truncated } of admin.query({ sql, maxRows }, options)) {
    if (columns.length > 0) result.columns = columns.map((name, i) => ({ name, type: types[i] ?? '' }));
    for (const row of rowsJson) result.rows.push(JSON.parse(row) as unknown[]);
    result.truncated = truncated;
  }
  return result;
}
