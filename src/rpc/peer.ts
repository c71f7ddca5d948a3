import type { PeerCertificate } from 'node:tls';
import { MillraceError } from '../errors.ts';
import { peerNames, type PeerName } from '../identity/peer-name.ts';
import type { TlsMaterial } from '../identity/tls-files.ts';

/** What grpc-js says of the other side; empty unless TLS has checked its certificate. */
interface AuthContext {
  sslPeerCertificate?: PeerCertificate | undefined;
}

/** Names in the certificate of the other side of a call; undefined when it has shown none that TLS took. */
function peerOf({ sslPeerCertificate: certificate }: AuthContext): readonly PeerName[] | undefined {
  return certificate && peerNames({ subjectAltName: certificate.subjectaltname });
}

/**
 * Checks that the other side has a certificate that may call a service. Throws `unauthenticated` without one, `permission_denied` for
 * one of other roles or of another cluster.
 *
 * @param allowed - roles, `anyone`, or undefined for every certificate of the authority
 */
export function checkPeer(context: AuthContext, allowed: readonly string[] | 'anyone' | undefined, own: TlsMaterial): void {
  if (allowed === 'anyone') return;
  const names = peerOf(context);
  if (names === undefined)
    throw new MillraceError('unauthenticated', 'This server wants a certificate of its authority from its clients; show one.');
  if (allowed === undefined) return;
  const clusters = own.names.map(({ cluster }) => cluster);
  const isAllowed = names.some(({ cluster, role }) => allowed.includes(role) && clusters.includes(cluster));
  if (isAllowed) return;
  const shown = names.map(({ cluster, role }) => `${role} of ${cluster}`).join(', ') || 'no role';
  throw new MillraceError(
    'permission_denied',
    `This service is for certificates of role ${allowed.join(' or ')} of cluster ${[...new Set(clusters)].join(', ') || '(none)'}; yours has ${shown}.`,
  );
}
