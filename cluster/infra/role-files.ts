import { stringify } from 'yaml';
import type { ROLE_NAMES } from '../../src/protocol/roles.ts';
import type { Credentials } from './credentials.ts';

/** A file below the folder of a cluster or a node; a secret is for its owner alone. */
export interface ClusterFile {
  path: string;
  content: string;
  secret: boolean;
}

/** One that every account may read. */
export const shown = (path: string, content: string): ClusterFile => ({ path, content, secret: false });
/** One that holds a secret. */
export const hidden = (path: string, content: string): ClusterFile => ({ path, content, secret: true });

/** Credentials of each role, and of the people who have `admin`. */
export const ROLE_CREDENTIALS: Readonly<Record<(typeof ROLE_NAMES)[number] | 'admin', readonly (keyof Credentials)[]>> = {
  admin: ['token', 'gatewayMetricsToken', 'gatewayReadToken', 'gatewayWriteToken', 'gatewayAdminToken'],
  coordinator: ['token', 'storeToken', 'gatewayWorkToken'],
  'parameter-server': ['workToken'],
  learner: ['workToken'],
  rollout: [],
  reward: [],
  store: ['storeToken', 'readToken', 'writeToken'],
  gateway: ['gatewayMetricsToken', 'gatewayReadToken', 'gatewayWriteToken', 'gatewayAdminToken', 'gatewayWorkToken'],
};

/** What the settings of nodes say of their cluster. */
export interface HostSettings {
  /** Addresses of NATS with commas between them. */
  natsUrl: string;
  replicas?: 1 | 3 | 5 | undefined;
  /** How others reach the host. Default: the name of the host. */
  advertise?: string;
  artifacts?: Readonly<Record<string, string>> | undefined;
}

/** `cluster.yaml` of a node: paths are in the folder that it is started in. */
export function hostSettings({ natsUrl, replicas, advertise, artifacts }: HostSettings): string {
  return stringify({
    nats: { url: natsUrl, caFile: 'credentials/ca.pem', ...(replicas !== undefined && { replicas }) },
    tls: { caFile: 'credentials/ca.pem', certFile: 'credentials/node.pem', keyFile: 'credentials/node.key' },
    credentialsDir: 'credentials',
    // Of TLS only gRPC and the gateway know.
    ports: { clickhouse: 'off' },
    network: { bind: '0.0.0.0', ...(advertise !== undefined && { advertise }) },
    ...(artifacts && { artifacts }),
  });
}
