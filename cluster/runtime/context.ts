import type { RoleName } from '../../src/protocol/roles.ts';
import type { ArtifactStore } from '../../src/artifacts/artifacts.ts';
import type { ActorSystem } from '../../src/actor/system.ts';
import type { Files } from '../../src/files/files.ts';
import type { TlsIdentity } from '../../src/identity/tls-identity.ts';
import type { WeightChannel } from '../../src/weights/weight-channel.ts';
import type { MetricsRegistry } from '../../src/telemetry/metrics.ts';
import type { JobBundles } from '../jobs/bundles.ts';
import type { JobContext } from '../jobs/context.ts';

/** What every role of a node works with: the ports, and the jobs it can look up. */
export interface NodeContext extends JobContext {
  readonly weights: WeightChannel;
  readonly metrics: MetricsRegistry;
  readonly actors: ActorSystem;
  /** Bundles of the flows that jobs run; absent in serial mode, where one process loads each flow from its files, once. */
  readonly bundles?: JobBundles | undefined;
  /** Where content is kept by its digest: bundles of flows, tensors of checkpoints. */
  readonly artifacts: ArtifactStore;
  /** Where long bodies of model calls are kept: nobody sweeps it. Absent in serial mode. */
  readonly callBodies?: ArtifactStore | undefined;
  /** The file system that the state folder is on. */
  readonly files: Files;
  /** Folder for checkpoints; shared by the nodes of a cluster. */
  readonly stateDir: string;
  /** What it shows the servers that it calls, where the cluster has TLS. */
  readonly tls?: TlsIdentity | undefined;
  /** Marks work that no port knows of (module loading): serial mode holds its virtual time meanwhile. Work on {@link files} must not be in it. */
  outside<T>(work: Promise<T>): Promise<T>;
}

/** A role hosted by a node. */
export interface Role {
  readonly name: RoleName;
  /** What `millrace node list` says about it. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the embedded engine answers as a ClickHouse server does. */
  readonly clickhousePort?: number | undefined;
  /** Where it serves the metrics of its node; the node then opens a port for them only if its settings name one. */
  readonly metricsUrl?: string | undefined;
  /** Finishes what it has begun, within `timeoutMs`. */
  stop(timeoutMs?: number): Promise<void>;
}
