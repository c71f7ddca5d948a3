import { hostname } from 'node:os';
import type { ClusterConfig } from '../../src/config/cluster.ts';
import { listeningOf } from '../../src/config/network.ts';
import { MillraceError } from '../../src/errors.ts';
import { ROLE_NAMES, type RoleName } from '../../src/protocol/roles.ts';
import { credentialsFolder, type Credentials } from '../infra/credentials.ts';
import { credentialsIn, natsPasswordIn } from '../infra/given-credentials.ts';
import { identityOf, type NodeSettings } from '../runtime/settings/node.ts';
import { artifactPlace } from '../runtime/settings/places.ts';
import { sectionOf } from '../runtime/settings/sections.ts';
import { checkNodeSettings } from '../runtime/settings/start.ts';

/** What `millrace node run` is asked for besides the cluster's settings. */
export interface NodeRequest {
  roles: readonly RoleName[];
  /** Default: the roles and the name of the host. */
  id?: string | undefined;
  /** Credentials that the settings name. Default: all of them are in files. */
  given?: Partial<Credentials>;
}

/** Settings of one node, and where the password was looked for that it has none of. */
export interface ClusterNode {
  settings: NodeSettings;
  /** Set where no login on NATS is known: an error of NATS about that names it. */
  missingPassword: string | undefined;
}

/**
 * The settings of a node of a cluster that spans hosts, from those of the cluster. Rejects with `invalid_argument` and the field: without
 * `nats.url`, for a credential of its roles that is missing, for listening off loopback without TLS.
 */
export async function clusterNode(config: ClusterConfig, { roles, id, given }: NodeRequest): Promise<ClusterNode> {
  const { nats, network, ports, stateDir, tls } = config;
  const { url: natsUrl, ...natsAccess } = nats;
  if (natsUrl === undefined) {
    throw new MillraceError('invalid_argument', 'nats.url is missing: a node joins NATS servers that run already.', {
      field: 'nats.url',
    });
  }
  if (roles.includes('gateway') && ports.gateway === 'off')
    throw new MillraceError('invalid_argument', 'ports.gateway: got off, expected a port for role gateway.', {
      field: 'ports.gateway',
    });
  const artifacts = artifactPlace(config.artifacts);
  const folder = config.credentialsDir ?? credentialsFolder(stateDir);
  const credentials = credentialsIn(folder, given);
  const identity = identityOf(roles);
  const login = hasLogin(nats) ? undefined : natsPasswordIn(folder, identity);
  const opensClickHouse = config.clickhouse.url === undefined && ports.clickhouse !== 'off';
  const sections = {
    config,
    credentials,
    ports: {
      gateway: ports.gateway === 'off' ? 0 : ports.gateway,
      clickhouse: opensClickHouse ? (ports.clickhouse as number | 'auto') : undefined,
    },
  };
  const settings: NodeSettings = {
    id: id ?? `${roles.join('-')}-${hostname().replaceAll(/[^A-Za-z0-9_-]+/g, '-')}`,
    natsUrl,
    natsAccess,
    ...(login?.password !== undefined && { nats: { identity, password: login.password } }),
    stateDir,
    ...(artifacts && { artifacts }),
    logLevel: config.logLevel,
    ...(tls && { tls }),
    listening: listeningOf(network, tls !== undefined),
    grpcPort: network.grpcPort === 0 && roles.includes('coordinator') ? ports.admin : network.grpcPort,
    metricsPort: network.httpPort,
    roles: roles.map((role) => sectionOf(role, sections)),
  };
  return {
    settings: await checkNodeSettings(settings, 'node'),
    missingPassword: login && login.password === undefined ? login.path : undefined,
  };
}

/**
 * The roles that a text names, with commas between them, e.g. `rollout,reward`.
 *
 * @throws MillraceError `invalid_argument` with the allowed values
 */
export function rolesIn(text: string, field: string): RoleName[] {
  const names = text.split(',').map((name) => name.trim());
  const allowed = `expected some of ${ROLE_NAMES.join(', ')}, with commas between them`;
  for (const [at, name] of names.entries()) {
    if (!(ROLE_NAMES as readonly string[]).includes(name))
      throw new MillraceError('invalid_argument', `${field}: got "${name}", ${allowed}.`, { field });
    if (names.indexOf(name) !== at)
      throw new MillraceError('invalid_argument', `${field}: ${name} is named twice, ${allowed}.`, { field });
  }
  return names as RoleName[];
}

/** Whether the settings of NATS say who logs in. */
function hasLogin({ url, user, token, credsFile, nkeyFile }: ClusterConfig['nats']): boolean {
  return [user, token, credsFile, nkeyFile].some((way) => way !== undefined) || url?.includes('@') === true;
}
