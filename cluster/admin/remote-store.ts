import { StoreService } from '../../src/gen/millrace/v1/store_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import { createClient, type ServiceClient } from '../../src/rpc/client.ts';
import type { NodeList } from '../runtime/nodes.ts';
import type { RunQuery, StoreAccess } from './backend.ts';
import type { TrajectoryTransfer } from './export.ts';
import { collectQuery } from './query-rows.ts';
import type { StoreCare } from './store-care.ts';

/** What is deleted of jobs that are partly old is looked for row by row. */
const PRUNE_TIMEOUT_MS = 50_000;

/** Asks whichever store node is alive. `unavailable` when none is. */
export function remoteStore(nodes: NodeList, token?: string): Required<StoreAccess> {
  return { query: remoteQuery(nodes, token), transfer: remoteTransfer(nodes, token), care: remoteCare(nodes, token) };
}

/** Asks whichever store node is alive. `unavailable` when none is. */
function remoteQuery(nodes: NodeList, token?: string): RunQuery {
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

/** Asks whichever store node is alive for its sizes, and has it prune. `unavailable` when none is. */
export function remoteCare(nodes: NodeList, token?: string): StoreCare {
  return {
    async getStoreStats() {
      const client = storeClient(nodes, token);
      try {
        return (await client.readStats({})).response ?? { tables: [], jobs: [] };
      } finally {
        client.close();
      }
    },
    async pruneStore({ olderThan, jobId, dryRun }, running) {
      const client = storeClient(nodes, token);
      try {
        const request = { ...(olderThan && { olderThan }), jobId, dryRun };
        const { response } = await client.prune({ request, runningJobs: [...running] }, { timeoutMs: PRUNE_TIMEOUT_MS });
        return response ?? { jobs: [] };
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
