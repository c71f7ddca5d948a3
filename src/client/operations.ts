import type {
  Actor,
  AdminService,
  DiagnoseResponse,
  GetStoreStatsResponse,
  Node,
  PrunedJob,
} from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';

/** Rows that are looked for one by one take long. */
const PRUNE_MS = 60_000;

/** Options of {@link OperationsClient.pruneStore}. */
export interface PruneOptions extends CallOptions {
  /** Only of this job. Default: of every job that has ended. */
  job?: string | undefined;
  /** Says what would be deleted and leaves it. Default false. */
  dryRun?: boolean | undefined;
}

/** Looking after a cluster (docs/operations.md). */
export interface OperationsClient {
  /** By id. */
  nodes(options?: CallOptions): Promise<Node[]>;
  /** Of one node, or of all. `not_found` when there is no such node. */
  actors(node?: string, options?: CallOptions): Promise<Actor[]>;
  /** What the trajectory store holds, by table and by job. */
  storeStats(options?: CallOptions): Promise<GetStoreStatsResponse>;
  /**
   * A token with which one host may join once, as `millrace join` does, with some roles, for `ttlSeconds` (60 to 604800, default 3600).
   * `failed_precondition` unless the coordinator that answers has the key of the authority.
   */
  createJoinToken(roles: readonly string[], options?: CallOptions & { ttlSeconds?: number }): Promise<string>;
  /** Deletes rows that came longer ago than this, in seconds, of jobs that have ended. */
  pruneStore(olderThanSeconds: number, options?: PruneOptions): Promise<PrunedJob[]>;
  /** What is damaged of what the cluster keeps in JetStream. */
  diagnose(options?: CallOptions): Promise<DiagnoseResponse>;
  /** Removes one value or durable that {@link diagnose} calls removable. Returns the value; empty for a durable. */
  removeDamaged(place: string, options?: CallOptions): Promise<Uint8Array>;
}

/** Calls for operators of a cluster. */
export function operationsClient(admin: ServiceClient<typeof AdminService>): OperationsClient {
  return {
    nodes: async (options) => (await admin.listNodes({}, options)).nodes,
    actors: async (node = '', options) => (await admin.listActors({ nodeId: node }, options)).actors,
    storeStats: (options) => admin.getStoreStats({}, options),
    async pruneStore(seconds, { job = '', dryRun = false, ...options } = {}) {
      const request = { olderThan: { seconds: BigInt(seconds) }, jobId: job, dryRun };
      return (await admin.pruneStore(request, { timeoutMs: PRUNE_MS, ...options })).jobs;
    },
    async createJoinToken(roles, { ttlSeconds = 3600, ...options } = {}) {
      return (await admin.createJoinToken({ roles: [...roles], ttl: { seconds: BigInt(ttlSeconds) } }, options)).token;
    },
    diagnose: (options) => admin.diagnose({}, options),
    removeDamaged: async (place, options) => (await admin.removeDamaged({ place }, options)).value,
  };
}
