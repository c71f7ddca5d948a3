import type { X509Certificate } from 'node:crypto';
import { MillraceError } from '../errors.ts';

/** Who a certificate is for: one role of a node of a cluster. A node of several roles has one name for each. */
export interface PeerName {
  cluster: string;
  /** A role of the cluster, or `admin` for people. */
  role: string;
  node: string;
}

const PART = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const URI = /^spiffe:\/\/millrace\/([^/]+)\/([^/]+)\/([^/]+)$/;

/** The name as a URI, `spiffe://millrace/<cluster>/<role>/<node>`. `invalid_argument` with the part that no name can have. */
export function peerUri(name: PeerName): string {
  for (const field of ['cluster', 'role', 'node'] as const)
    if (!PART.test(name[field]))
      throw new MillraceError(
        'invalid_argument',
        `"${name[field]}" is no name of a ${field}: up to 63 letters, digits, "_", "-" and ".", a letter or digit first.`,
        { field },
      );
  return `spiffe://millrace/${name.cluster}/${name.role}/${name.node}`;
}

/** The names in a certificate; none where it is not one of Millrace. */
export function peerNames({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): PeerName[] {
  return alternativeNames(subjectAltName)
    .map((entry) => (entry.startsWith('URI:') ? URI.exec(entry.slice(4)) : null))
    .filter((match) => match !== null && match.slice(1).every((part) => PART.test(part)))
    .map((match) => ({ cluster: match![1]!, role: match![2]!, node: match![3]! }));
}

/** Entries of a text such as `DNS:a, URI:spiffe://x`. Node.js writes one with a comma or quote in it as a JSON text, which is none of ours. */
function alternativeNames(text: string | undefined): string[] {
  return text === undefined || text.includes('"') ? [] : text.split(', ');
}
