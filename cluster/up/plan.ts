import type { ClusterConfig } from '../../src/config/cluster.ts';
import type { Credentials } from '../infra/credentials.ts';
import type { NatsPasswords } from '../infra/nats/configuration.ts';
import { credentialsOf } from '../runtime/settings/credentials.ts';
import { identityOf, roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import type { RoleSettings } from '../runtime/settings/roles.ts';
import { gpuEnvironment, planLearners, usesGpus, type Devices } from './learners.ts';
import type { ClusterPorts } from './ports.ts';
import { retentionOf, serverOf } from './store-settings.ts';

/** What the processes of an embedded cluster are planned from. */
export interface PlanInput {
  config: ClusterConfig;
  credentials: Credentials;
  natsUrl: string;
  /** Of the identities on the cluster's own nats-server; absent for one that ran already. */
  passwords?: NatsPasswords | undefined;
  ports: ClusterPorts;
  devices: Devices;
  /** Environment of the supervisor, which its nodes inherit. */
  inherited: Readonly<Record<string, string | undefined>>;
}

/** One process to start. */
export interface PlannedNode {
  settings: NodeSettings;
  /** Added to its environment. */
  env: Record<string, string>;
}

/** What differs from node to node. */
interface Own {
  id: string;
  roles: RoleSettings[];
  grpcPort?: number;
}

/**
 * One process for each role, several of some, in the order in which they are to be started: the store makes streams and buckets
 * before the others look for them. Each gets its own settings and credentials only.
 */
export function planNodes(input: PlanInput): PlannedNode[] {
  const { config, credentials, natsUrl, passwords, ports, devices, inherited } = input;
  const gpus = usesGpus(config, devices);
  const { backend } = config.compute;
  const { url, ...natsAccess } = config.nats;
  const money = { budgets: config.budgets, prices: config.prices };
  // Rollouts ask for few decisions at a time and stay on the processor when learners are set to use GPUs.
  const rolloutBackend = backend === 'tensorflow-gpu' ? undefined : backend;
  const nodes: Own[] = [
    { id: 'store', roles: [storeSettings(input)] },
    {
      id: 'coordinator',
      roles: [{ role: 'coordinator', ...credentialsOf('coordinator', credentials), scheduler: config.scheduler, money }],
      grpcPort: ports.admin,
    },
    ...parameterServers(input),
    ...planLearners(config, devices).map(({ id, gpu }): Own => ({
      id,
      roles: [{ role: 'learner', ...credentialsOf('learner', credentials), backend, gpu }],
    })),
    ...several('rollout', config.rollouts, { role: 'rollout', backend: rolloutBackend }),
    ...several('reward', config.rewards, { role: 'reward' }),
    ...gateways(input),
  ];
  return nodes.map((own) => {
    const identity = identityOf(roleNames(own));
    const [section] = own.roles;
    const opensClickHouse = section?.role === 'store' && section.clickhouseInterface !== undefined;
    return {
      settings: {
        ...own,
        natsUrl,
        ...(url !== undefined && { natsAccess }),
        ...(passwords && { nats: { identity, password: passwords[identity] } }),
        stateDir: config.stateDir,
        ...(config.artifacts.url !== undefined && { artifacts: { ...config.artifacts, url: config.artifacts.url } }),
        logLevel: config.logLevel,
      },
      env: {
        ...(gpus && gpuEnvironment(section?.role === 'learner' ? section.gpu : undefined, inherited)),
        // Every query from outside holds one of these threads while it runs; inserts and files need some as well.
        ...(opensClickHouse && { UV_THREADPOOL_SIZE: inherited['UV_THREADPOOL_SIZE'] ?? '8' }),
      },
    };
  });
}

function storeSettings({ config, credentials, ports: { clickhouse: port } }: PlanInput): RoleSettings {
  const { readToken, writeToken } = credentials;
  return {
    role: 'store',
    ...credentialsOf('store', credentials),
    clickhouse: serverOf(config.clickhouse),
    ...(port !== undefined && { clickhouseInterface: { port, readToken, writeToken } }),
    retention: retentionOf(config.store.retention),
  };
}

function parameterServers({ config: { parameterServers: n }, credentials }: PlanInput): Own[] {
  const section: RoleSettings = { role: 'parameter-server', ...credentialsOf('parameter-server', credentials) };
  return n === 1 ? [{ id: 'parameter-server', roles: [section] }] : several('parameter-server', n, section);
}

function gateways({ credentials, ports: { gateway: port } }: PlanInput): Own[] {
  if (port === undefined) return [];
  return [{ id: 'gateway', roles: [{ role: 'gateway', port, ...credentialsOf('gateway', credentials) }] }];
}

function several(name: string, n: number, section: RoleSettings): Own[] {
  return Array.from({ length: n }, (_, i) => ({ id: `${name}-${i + 1}`, roles: [section] }));
}
