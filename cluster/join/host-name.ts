import { isIP } from 'node:net';
import { MillraceError } from '../../src/errors.ts';

/** Parts of letters, digits and "-" with dots between them. No wildcard: a certificate is for one host. */
const HOST = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

/** Throws `invalid_argument` unless a text is a host name or an IP address that others can reach a host by. */
export function checkHost(host: string, field: string): void {
  const isWildcard = host === '0.0.0.0' || host === '::';
  if (!isWildcard && !host.includes('%') && (isIP(host) !== 0 || HOST.test(host))) return;
  throw new MillraceError(
    'invalid_argument',
    `${field}: got ${JSON.stringify(host.slice(0, 80))}, expected a host name or an IP address under which others reach the host, without a port.`,
    { field },
  );
}
