import { StoreService } from '../src/gen/millrace/v1/store_pb.ts';
import { MillraceError } from '../src/errors.ts';
import { createClient } from '../src/rpc/client.ts';
import { defineService, type ServiceRegistration } from '../src/rpc/handlers.ts';
import type { QueryResult } from '../src/store/store.ts';
import type { RunQuery } from './coordinator/admin-backend.ts';
import type { NodeList } from './nodes.ts';

/** Rows in one message of a query's answer. */
const ROWS_PER_MESSAGE = 500;

/** The gRPC face of the store node. */
export function storeService(query: RunQuery): ServiceRegistration {
  return defineService(StoreService, {
    runQuery: async function* ({ sql, maxRows }, { signal }) {
      const result = await query(sql, maxRows === 0 ? 10_000 : maxRows, signal);
      const rows = result.rows.map((row) => JSON.stringify(row));
      const [columns, types] = [result.columns.map(({ name }) => name), result.columns.map(({ type }) => type)];
      yield { columns, types, rowsJson: rows.slice(0, ROWS_PER_MESSAGE), truncated: result.truncated };
      for (let at = ROWS_PER_MESSAGE; at < rows.length; at += ROWS_PER_MESSAGE) {
        yield { rowsJson: rows.slice(at, at + ROWS_PER_MESSAGE), truncated: result.truncated };
      }
    },
  });
}

/** Asks whichever store node is alive. `unavailable` when none is. */
export function remoteQuery(nodes: NodeList, token?: string): RunQuery {
  return async (sql, maxRows, signal) => {
    const node = nodes.withRole('store')[0];
    if (!node) throw new MillraceError('unavailable', 'No store node is alive; try again in a few seconds.');
    const client = createClient(StoreService, node.address, { token });
    try {
      const result: QueryResult = { columns: [], rows: [], truncated: false };
      for await (const part of client.runQuery({ sql, maxRows }, { signal })) {
        if (part.columns.length > 0) result.columns = part.columns.map((name, i) => ({ name, type: part.types[i] ?? '' }));
        for (const row of part.rowsJson) result.rows.push(JSON.parse(row) as unknown[]);
        result.truncated ||= part.truncated;
      }
      return result;
    } finally {
      client.close();
    }
  };
}
