import { StoreService } from '../src/gen/millrace/v1/store_pb.ts';
import { MillraceError } from '../src/errors.ts';
import { createClient } from '../src/rpc/client.ts';
import { defineService, type ServiceRegistration } from '../src/rpc/handlers.ts';
import { collectQuery, queryMessages } from './admin/query-rows.ts';
import type { RunQuery } from './coordinator/admin-backend.ts';
import type { NodeList } from './nodes.ts';

/** The gRPC face of the store node. */
export function storeService(query: RunQuery): ServiceRegistration {
  return defineService(StoreService, {
    runQuery: async function* ({ sql, maxRows }, { signal }) {
      yield* queryMessages(await query(sql, maxRows === 0 ? 10_000 : maxRows, signal));
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
      return await collectQuery(client.runQuery({ sql, maxRows }, { signal }));
    } finally {
      client.close();
    }
  };
}
