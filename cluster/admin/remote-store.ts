import { StoreService } from '../../src/gen/millrace/v1/store_pb.ts';
import { MillraceError } from '../../src/errors.ts';
import { createClient, type ClientOptions, type ServiceClient } from '../../src/rpc/client.ts';
import type { NodeList } from '../runtime/nodes.ts';
import type { RunQuery, StoreAccess } from './backend.ts';
import type { TrajectoryTransfer } from './export.ts';
import { collectQuery } from './query-rows.ts';
import type { StoreCare } from './store-care.ts';

/** What is deleted of jobs that are partly old is looked for row by row. */
const PRUNE_TIMEOUT_MS = 50_000;

/** What a store's service lets in. */
type Access = Pick<ClientOptions, 'token' | 'tls'>;

/** Asks whichever store node is alive. `unavailable` when none is. */
export function remoteStore(nodes: NodeList, access: Access = {}): Required<StoreAccess> {
  return { query: remoteQuery(nodes, access), transfer: remoteTransfer(nodes, access), care: remoteCare(nodes, access) };
}

/** Asks whichever store node is alive. `unavailable` when none is. */
function remoteQuery(nodes: NodeList, access: Access = {}): RunQuery {
  return (sql, maxRows, signal) =>
    askStore(nodes, access, (client) => collectQuery(client.runQuery({ sql, maxRows }, { signal })));
}

/** Exports from and imports into whichever store node is alive. `unavailable` when none is. */
export function remoteTransfer(nodes: NodeList, access: Access = {}): TrajectoryTransfer {
  return {
    async *exportTrajectories(request, signal) {
      // What was handed on cannot be taken back: another store is asked only for the first page.
      let first = true;
      const stores = storesOf(nodes);
      for (const address of stores) {
        const client = createClient(StoreService, address, access);
        try {
          for await (const { response } of client.readTrajectories({ request }, { signal })) {
            first = false;
            if (response) yield response;
          }
          return;
        } catch (thrown) {
          if (!first || !isAway(thrown) || address === stores.at(-1)) throw thrown;
        } finally {
          client.close();
        }
      }
    },
    async importTrajectories({ lines, job }, signal) {
      const { response } = await askStore(nodes, access, (client) =>
        client.writeTrajectories({ request: { lines, job } }, { signal }),
      );
      return response ?? { trajectories: 0, steps: 0 };
    },
  };
}

/** Asks whichever store node is alive for its sizes, and has it prune. `unavailable` when none is. */
export function remoteCare(nodes: NodeList, access: Access = {}): StoreCare {
  return {
    async getStoreStats() {
      return (await askStore(nodes, access, (client) => client.readStats({}))).response ?? { tables: [], jobs: [] };
    },
    async pruneStore({ olderThan, jobId, dryRun }, running) {
      const request = { ...(olderThan && { olderThan }), jobId, dryRun };
      const { response } = await askStore(nodes, access, (client) =>
        client.prune({ request, runningJobs: [...running] }, { timeoutMs: PRUNE_TIMEOUT_MS }),
      );
      return response ?? { jobs: [] };
    },
  };
}

type StoreClient = ServiceClient<typeof StoreService>;

/**
 * Asks the store nodes one after the other until one answers: a node that was killed is listed for a while. Everything that is asked of a
 * store may be asked twice: rows have natural keys.
 */
async function askStore<T>(nodes: NodeList, access: Access, ask: (client: StoreClient) => Promise<T>): Promise<T> {
  let last: unknown;
  for (const address of storesOf(nodes)) {
    const client = createClient(StoreService, address, access);
    try {
      return await ask(client);
    } catch (thrown) {
      if (!isAway(thrown)) throw thrown;
      last = thrown;
    } finally {
      client.close();
    }
  }
  throw last;
}

const isAway = (thrown: unknown): boolean => MillraceError.from(thrown).code === 'unavailable';

/** Addresses of the store nodes; `unavailable` when there is none. */
function storesOf(nodes: NodeList): string[] {
  const stores = nodes.withRole('store').map(({ address }) => address);
  if (stores.length === 0) throw new MillraceError('unavailable', 'No store node is alive; try again in a few seconds.');
  return stores;
}
