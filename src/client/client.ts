import { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import type { TlsFiles } from '../identity/tls-files.ts';
import { openTlsIdentity } from '../identity/tls-identity.ts';
import { createClient as createRpcClient, type ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { adaptersClient, experimentsClient, type AdaptersClient, type ExperimentsClient } from './adapters.ts';
import { agentsClient, type AgentsClient } from './agents.ts';
import { credentialsClient, type CredentialsClient } from './credentials.ts';
import { budgetsClient, type BudgetsClient } from './budgets.ts';
import { deadLettersClient, type DeadLettersClient } from './dead-letters.ts';
import { exportTrajectories, type ExportOptions } from './export.ts';
import { JobsClient } from './jobs.ts';
import { operationsClient, type OperationsClient } from './operations.ts';
import { runQuery, type QueryOptions, type QueryRows } from './query.ts';
import { schedulesClient, type SchedulesClient } from './schedules.ts';
import { uploadFlow, type FlowSource, type UploadedFlow } from './upload.ts';

/** Options of {@link createClient}. */
export interface MillraceClientOptions {
  /** Where the admin API is, "host:port": what `millrace up` prints, and what admin.json of its state folder says. */
  endpoint: string;
  /** Token of a credential of the cluster, or that of credentials/admin.token in the state folder. */
  token?: string | undefined;
  /** PEM files of a certificate of role admin, where the cluster has TLS. Default: no TLS. */
  tls?: TlsFiles | undefined;
  /** How long calls that answer once may take, in milliseconds. Default 30_000; the server's limit is 60_000. */
  timeoutMs?: number | undefined;
  /** How long a watch or an export that broke is tried again, in milliseconds. Default 30_000; 0: not at all. */
  patienceMs?: number | undefined;
}

/** Options of {@link MillraceClient.importTrajectories}. */
export interface ImportOptions extends CallOptions {
  /** The job that they are to belong to. Default: as the lines say. */
  job?: string | undefined;
}

/** Rows that an import wrote. */
export interface Imported {
  trajectories: number;
  steps: number;
}

/** A client of one cluster. All errors are MillraceErrors with the code, and the field where there is one. */
export interface MillraceClient {
  readonly jobs: JobsClient;
  readonly schedules: SchedulesClient;
  readonly budgets: BudgetsClient;
  readonly agents: AgentsClient;
  /** Published policies, and the live tasks that they solve. */
  readonly adapters: AdaptersClient;
  readonly experiments: ExperimentsClient;
  /** Who may call it. */
  readonly credentials: CredentialsClient;
  readonly deadLetters: DeadLettersClient;
  /** Nodes, actors, the size of the store, damage. */
  readonly operations: OperationsClient;
  /** Bundles a flow with what it reads and uploads what the cluster lacks. Jobs of the same flow need it once. */
  uploadFlow(source: FlowSource, options?: CallOptions): Promise<UploadedFlow>;
  /** Runs one read-only SQL statement on the trajectory store. */
  query(sql: string, options?: QueryOptions): Promise<QueryRows>;
  /** Trajectories as objects, one each (docs/export.md). An export that broke goes on where it was. */
  exportTrajectories(options?: ExportOptions): AsyncIterable<Record<string, unknown>>;
  /** Writes interactions into the store, JSON lines as an export gives them, at most 5000. The same lines again change nothing. */
  importTrajectories(lines: readonly string[], options?: ImportOptions): Promise<Imported>;
  /** The methods of admin.proto as they are. */
  readonly admin: ServiceClient<typeof AdminService>;
  /** Drops the connection once the calls in progress are over. */
  close(): void;
}

/**
 * Connects, at the first call, to the admin API of a cluster. `invalid_argument` with the field for wrong options.
 *
 * @example
 * const client = createClient({ endpoint: '127.0.0.1:7500', token });
 * const job = await client.jobs.create({ config: { name: 'parcels', rounds: 50 }, flow: new URL('./flow.ts', import.meta.url) });
 * for await (const { state, progress } of client.jobs.watch(job.id)) console.log(state, progress?.round);
 */
export function createClient({ endpoint, token, tls, timeoutMs, patienceMs = 30_000 }: MillraceClientOptions): MillraceClient {
  const identity = tls && openTlsIdentity(tls);
  return clientOf(createRpcClient(AdminService, endpoint, { token, tls: identity, timeoutMs }), patienceMs, () =>
    identity?.close(),
  );
}

/** The client over a connection; see {@link createClient}. */
export function clientOf(
  admin: ServiceClient<typeof AdminService>,
  patienceMs: number,
  onClose = (): void => {},
): MillraceClient {
  return {
    admin,
    jobs: new JobsClient(admin, { patienceMs }),
    schedules: schedulesClient(admin),
    budgets: budgetsClient(admin),
    agents: agentsClient(admin),
    adapters: adaptersClient(admin),
    experiments: experimentsClient(admin),
    credentials: credentialsClient(admin),
    deadLetters: deadLettersClient(admin),
    operations: operationsClient(admin),
    uploadFlow: (source, options) => uploadFlow(admin, source, options),
    query: (sql, options) => runQuery(admin, sql, options),
    exportTrajectories: (options) => exportTrajectories(admin, options, patienceMs),
    importTrajectories: async (lines, { job = '', ...options } = {}) => {
      const { trajectories, steps } = await admin.importTrajectories(
        { lines: [...lines], job },
        { timeoutMs: 60_000, ...options },
      );
      return { trajectories, steps };
    },
    close() {
      admin.close();
      onClose();
    },
  };
}
