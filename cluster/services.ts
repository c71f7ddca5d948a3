import { create } from '@bufbuild/protobuf';
import { ExportTrajectoriesRequestSchema } from '../src/gen/millrace/v1/admin_pb.ts';
import { StoreService } from '../src/gen/millrace/v1/store_pb.ts';
import { MillraceError } from '../src/errors.ts';
import { createClient, type ServiceClient } from '../src/rpc/client.ts';
import { defineService, type ServiceRegistration } from '../src/rpc/handlers.ts';
import type { TrajectoryTransfer } from './admin/backend.ts';
import { collectQuery, queryMessages } from './admin/query-rows.ts';
import type { RunQuery } from './coordinator/admin-backend.ts';
import type { NodeList } from './nodes.ts';

/** The gRPC face of the store node. */
export function storeService(query: RunQuery, transfer: TrajectoryTransfer): ServiceRegistration {
  return defineService(StoreService, {
    runQuery: async function* ({ sql, maxRows }, { signal }) {
      yield* queryMessages(await query(sql, maxRows === 0 ? 10_000 : maxRows, signal));
    },
    readTrajectories: async function* ({ request }, { signal }) {
      const asked = request ?? create(ExportTrajectoriesRequestSchema);
      for await (const response of transfer.exportTrajectories(asked, signal)) yield { response };
    },
    writeTrajectories: async ({ request }, { signal }) => ({
      response: await transfer.importTrajectories(request ?? { lines: [], job: '' }, signal),
    }),
  });
}

/** Asks whichever store node is alive. `unavailable` when none is. */
export function remoteQuery(nodes: NodeList, token?: string): RunQuery {
  return async (sql, maxRows, signal) => {
    const client = storeClient(nodes, token);
    try {
      return await collectQuery(client.runQuery({ sql, maxRows }, { signal }));
    } finally {
      client.close();
    }
  };
}

/** Exports from and imports into whichever store node is alive. `unavailable` when none is. */
export function remoteTransfer(nodes: NodeList, token?: string): TrajectoryTransfer {
  return {
    async *exportTrajectories(request, signal) {
      const client = storeClient(nodes, token);
      try {
        for await (const { response } of client.readTrajectories({ request }, { signal })) if (response) yield response;
      } finally {
        client.close();
      }
    },
    async importTrajectories({ lines, job }, signal) {
      const client = storeClient(nodes, token);
      try {
        const { response } = await client.writeTrajectories({ request: { lines, job } }, { signal });
        return response ?? { trajectories: 0, steps: 0 };
      } finally {
        client.close();
      }
    },
  };
}

function storeClient(nodes: NodeList, token: string | undefined): ServiceClient<typeof StoreService> {
  const node = nodes.withRole('store')[0];
  if (!node) throw new MillraceError('unavailable', 'No store node is alive; try again in a few seconds.');
  return createClient(StoreService, node.address, { token });
}
