import type { ClusterConfig } from '../../src/config/cluster.ts';
import type { Credentials } from '../infra/credentials.ts';
import type { NatsPasswords } from '../infra/nats/configuration.ts';
import { identityOf, roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import { artifactPlace } from '../runtime/settings/places.ts';
import type { RoleSettings } from '../runtime/settings/roles.ts';
import { sectionOf, type SectionInput } from '../runtime/settings/sections.ts';
import { gpuEnvironment, planLearners, usesGpus, type Devices } from './learners.ts';
import type { ClusterPorts } from './ports.ts';

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
  const artifacts = artifactPlace(config.artifacts);
  const gpus = usesGpus(config, devices);
  const { url, ...natsAccess } = config.nats;
  const sections: SectionInput = { config, credentials, ports: { ...ports, gateway: ports.gateway ?? 0 } };
  const nodes: Own[] = [
    { id: 'store', roles: [sectionOf('store', sections)] },
    { id: 'coordinator', roles: [sectionOf('coordinator', sections)], grpcPort: ports.admin },
    ...(config.parameterServers === 1
      ? [{ id: 'parameter-server', roles: [sectionOf('parameter-server', sections)] }]
      : several(config.parameterServers, sectionOf('parameter-server', sections))),
    ...planLearners(config, devices).map(({ id, gpu }): Own => ({ id, roles: [sectionOf('learner', { ...sections, gpu })] })),
    ...several(config.rollouts, sectionOf('rollout', sections)),
    ...several(config.rewards, sectionOf('reward', sections)),
    ...(ports.gateway === undefined ? [] : [{ id: 'gateway', roles: [sectionOf('gateway', sections)] }]),
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
        ...(config.tls && { tls: config.tls }),
        stateDir: config.stateDir,
        ...(artifacts && { artifacts }),
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

function several(n: number, section: RoleSettings): Own[] {
  return Array.from({ length: n }, (_, i) => ({ id: `${section.role}-${i + 1}`, roles: [section] }));
}
