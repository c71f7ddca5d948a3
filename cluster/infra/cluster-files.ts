import { isIP } from 'node:net';
import { MillraceError } from '../../src/errors.ts';
import { hostPort } from '../../src/http/listening.ts';
import { issueCertificate, makeAuthority, type KeyedCertificate } from '../../src/identity/authority.ts';
import { peerUri } from '../../src/identity/peer-name.ts';
import { ROLE_NAMES } from '../../src/protocol/roles.ts';
import { CREDENTIAL_FILES, natsPasswordFile, newSecret, type Credentials } from './credentials.ts';
import { IDENTITIES, type Identity } from './nats/access.ts';
import { accessConfiguration, FILE_STORE_BYTES, limitsConfiguration } from './nats/configuration.ts';
import { hidden, hostSettings, ROLE_CREDENTIALS, shown, type ClusterFile } from './role-files.ts';

/** A cluster that is to be. */
export interface NewCluster {
  /** Part of the names in its certificates. */
  name: string;
  /** Addresses of its NATS servers. */
  nats: readonly URL[];
  /** Copies of streams. Default: 3 with three servers or more, else 1. */
  replicas?: 1 | 3 | 5 | undefined;
  /** Host names and addresses of its nodes. Those of the NATS servers and of loopback are added. */
  hosts: readonly string[];
}

const ROLES = ['admin', ...ROLE_NAMES] as const;
const LOOPBACK = ['localhost', '127.0.0.1'];
/** Between the port of clients of a NATS server and that of its routes, as 4222 and 6222. */
const ROUTES = 2000;

/**
 * Everything that the hosts of a new cluster need: the authority, a folder for each NATS server, for each role and for people. Each holds
 * only its own secrets, except that coordinators also have the authority's key and all secrets, to hand out to hosts that join. Secrets are new at
 * every call. Throws `invalid_argument` with the field.
 */
export async function clusterFiles(cluster: NewCluster): Promise<ClusterFile[]> {
  checkCluster(cluster);
  const authority = await makeAuthority(cluster.name);
  const credentials = Object.fromEntries(Object.keys(CREDENTIAL_FILES).map((name) => [name, newSecret()])) as Record<
    keyof Credentials,
    string
  >;
  const passwords = Object.fromEntries(IDENTITIES.map((name) => [name, newSecret()])) as Record<Identity, string>;
  const settings = settingsOf(cluster);
  const files = [
    shown('ca/ca.pem', authority.cert),
    hidden('ca/ca.key', authority.key),
    ...(await natsFiles(cluster, authority, accessConfiguration(passwords))),
  ];
  const hosts = [...new Set([...cluster.hosts, ...cluster.nats.map(hostOf), ...LOOPBACK])];
  for (const role of ROLES) {
    const folder = role === 'admin' ? 'admin' : `roles/${role}`;
    const names = [{ cluster: cluster.name, role, node: role }];
    const { cert, key } = await issueCertificate(authority, { names, hosts: role === 'admin' ? [] : hosts });
    const inside = (name: string): string => `${folder}/credentials/${name}`;
    files.push(
      ...(role === 'admin' ? [] : [shown(`${folder}/cluster.yaml`, settings)]),
      shown(inside('ca.pem'), authority.cert),
      shown(inside('node.pem'), cert),
      hidden(inside('node.key'), key),
      hidden(inside(natsPasswordFile(role)), `${passwords[role]}\n`),
      ...ROLE_CREDENTIALS[role].map((name) => hidden(inside(CREDENTIAL_FILES[name]), `${credentials[name]}\n`)),
    );
  }
  // Coordinators let hosts join: they make certificates, and hand out the secrets of roles.
  const forJoining = (name: string): string => `roles/coordinator/credentials/${name}`;
  files.push(
    hidden(forJoining('ca.key'), authority.key),
    ...ROLES.map((role) => hidden(forJoining(`join/${natsPasswordFile(role)}`), `${passwords[role]}\n`)),
    ...[...new Set(ROLES.flatMap((role) => ROLE_CREDENTIALS[role]))].map((name) =>
      hidden(forJoining(`join/${CREDENTIAL_FILES[name]}`), `${credentials[name]}\n`),
    ),
  );
  return files;
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '');
const portOf = ({ port }: URL): number => (port === '' ? 4222 : Number(port));

function checkCluster({ name, nats, replicas, hosts }: NewCluster): void {
  peerUri({ cluster: name, role: 'admin', node: 'admin' });
  if (replicas !== undefined && replicas > nats.length)
    throw new MillraceError('invalid_argument', `${replicas} copies need as many NATS servers; there are ${nats.length}.`, {
      field: 'replicas',
    });
  const places = nats.map((url) => hostPort(hostOf(url), portOf(url)));
  const twice = places.find((place, i) => places.indexOf(place) !== i);
  if (twice !== undefined) throw new MillraceError('invalid_argument', `${twice} is named twice.`, { field: 'nats' });
  const wrong = hosts.find((host) => isIP(host) === 0 && !/^[A-Za-z0-9*]([A-Za-z0-9.*-]*[A-Za-z0-9])?$/.test(host));
  if (wrong !== undefined)
    throw new MillraceError('invalid_argument', `"${wrong}" is neither a host name nor an IP address.`, { field: 'hosts' });
}

/** The settings of every node. */
function settingsOf({ nats, replicas = nats.length >= 3 ? 3 : 1 }: NewCluster): string {
  const natsUrl = nats.map((each) => `tls://${hostPort(hostOf(each), portOf(each))}`).join(',');
  return hostSettings({ natsUrl, replicas });
}

/** A folder for each NATS server. Routes need a password besides a certificate: nodes have certificates of the same authority. */
async function natsFiles({ name, nats }: NewCluster, authority: KeyedCertificate, access: string): Promise<ClusterFile[]> {
  const password = newSecret();
  const files: ClusterFile[] = [];
  for (const [i, url] of nats.entries()) {
    const [host, port] = [hostOf(url), portOf(url)];
    const { cert, key } = await issueCertificate(authority, { names: [], hosts: [...new Set([host, ...LOOPBACK])] });
    const routes = nats.map((each) => `tls://route:${password}@${hostPort(hostOf(each), portOf(each) + ROUTES)}`);
    const tls = 'cert_file: "server.pem", key_file: "server.key", ca_file: "ca.pem"';
    const lines = [
      '# Paths are in the folder that nats-server is started in.',
      `server_name: n${i + 1}`,
      `port: ${port}`,
      ...limitsConfiguration(),
      `tls { ${tls}, timeout: 5 }`,
      `jetstream { store_dir: "jetstream", max_file_store: ${FILE_STORE_BYTES} }`,
      ...(nats.length === 1
        ? []
        : [
            'cluster {',
            `  name: ${JSON.stringify(name)}`,
            `  port: ${port + ROUTES}`,
            `  authorization { user: route, password: ${JSON.stringify(password)}, timeout: 5 }`,
            `  tls { ${tls}, verify: true, timeout: 5 }`,
            `  routes: ${JSON.stringify(routes)}`,
            '}',
          ]),
      access,
    ];
    const inside = (file: string): string => `nats/n${i + 1}/${file}`;
    files.push(
      hidden(inside('nats.conf'), `${lines.join('\n')}\n`),
      shown(inside('ca.pem'), authority.cert),
      shown(inside('server.pem'), cert),
      hidden(inside('server.key'), key),
    );
  }
  return files;
}
