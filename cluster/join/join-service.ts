import { isIPv6 } from 'node:net';
import type { Bus } from '../../src/bus/bus.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { MillraceError } from '../../src/errors.ts';
import { JoinService, type JoinRequest } from '../../src/gen/millrace/v1/join_pb.ts';
import type { TlsIdentity } from '../../src/identity/tls-identity.ts';
import { defineService, type ServiceRegistration } from '../../src/rpc/handlers.ts';
import { RateLimiter } from '../../src/rpc/rate-limit.ts';
import { hostSettings, shown, type ClusterFile } from '../infra/role-files.ts';
import type { JoinSettings } from '../runtime/settings/roles.ts';
import { authorityCertificate, authorityIn, secretsOf } from './authority-files.ts';
import { checkHost } from './host-name.ts';
import { joinRoles, type JoinRole } from './join-roles.ts';
import { JoinTokens } from './join-tokens.ts';

/** What {@link joinService} works with. */
export interface JoinContext {
  bus: Bus;
  clock: Clock;
  log: { info(fields: object, message: string): void };
  /** Who this coordinator is: its cluster is the one that hosts join. */
  tls: TlsIdentity;
}

/** Calls of one address: enough for a person, nothing for a loop. */
const LIMIT = { perSecond: 1, burst: 20 };

/** The service that hosts join through, for `startServer`: open to everyone, since who joins has nothing but a token in the request. */
export function joinService(context: JoinContext, settings: JoinSettings): ServiceRegistration {
  const limiter = new RateLimiter(LIMIT, () => context.clock.monotonic());
  const limited = (peer: string): void => {
    const wait = limiter.take(peer.replace(/:\d+$/, ''));
    if (wait > 0) throw new MillraceError('resource_exhausted', `Too many calls from this address; try again in ${wait} ms.`);
  };
  const service = defineService(JoinService, {
    getAuthority: (_, { peer }) => {
      limited(peer);
      return { certificate: authorityCertificate(settings.folder) };
    },
    join: async (request, { peer }) => {
      limited(peer);
      const answer = await join(context, settings, request);
      context.log.info({ roles: answer.roles, host: request.host, peer }, 'a host has joined');
      return answer;
    },
  });
  return { ...service, peers: 'anyone' };
}

/** Everything that can fail comes before the token is used up. */
async function join(
  context: JoinContext,
  { folder, natsUrl, replicas, artifacts }: JoinSettings,
  { secret, certificateRequest, roles: wanted, host }: JoinRequest,
): Promise<{ files: ClusterFile[]; roles: JoinRole[] }> {
  checkHost(host, 'host');
  const token = await new JoinTokens(context).find(secret);
  const roles = wanted.length === 0 ? [...token.roles] : joinRoles(wanted, 'roles');
  const wider = roles.filter((role) => !token.roles.includes(role));
  if (wider.length > 0)
    throw new MillraceError(
      'permission_denied',
      `The token is for ${token.roles.join(', ')}, not for ${wider.join(', ')}; it was not used up.`,
      { field: 'roles' },
    );
  const authority = authorityIn(folder);
  const secrets = secretsOf(folder, roles);
  const { signRequest } = await import('../../src/identity/authority.ts');
  const cluster = clusterOf(context.tls);
  const names = roles.map((role) => ({ cluster, role, node: nodeName(host) }));
  const certificate = await signRequest(authority, certificateRequest, { names, hosts: [host] });
  await token.consume();
  const files = [
    shown('cluster.yaml', hostSettings({ natsUrl, replicas, artifacts, advertise: host })),
    shown('credentials/ca.pem', authority.cert),
    shown('credentials/node.pem', certificate),
    ...secrets,
  ];
  return { files, roles };
}

function clusterOf({ current: { names } }: TlsIdentity): string {
  const own = names.find(({ role }) => role === 'coordinator');
  if (own !== undefined) return own.cluster;
  throw new MillraceError('failed_precondition', 'The certificate of this coordinator names no cluster: tls.certFile.', {
    field: 'tls.certFile',
  });
}

/** A name in a certificate for a host. */
const nodeName = (host: string): string => (isIPv6(host) ? `ip-${host.replaceAll(':', '-')}` : host).slice(0, 63);
