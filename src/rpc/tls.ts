import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { credentials, experimental, type ChannelCredentials, type ChannelOptions, type ServerCredentials } from '@grpc/grpc-js';
import { peerNames } from '../identity/peer-name.ts';
import type { TlsIdentity } from '../identity/tls-identity.ts';
import type { ServerTrust } from './options.ts';

/** One of each identity: channels with the same one share connections. */
const providers = new WeakMap<TlsIdentity, experimental.CertificateProvider>();

/** Certificates of an identity for grpc-js, which takes new ones for new connections. */
function providerOf(identity: TlsIdentity): experimental.CertificateProvider {
  const known = providers.get(identity);
  if (known !== undefined) return known;
  const ends = new Map<unknown, () => void>();
  const add = (listener: unknown, tell: () => void): void => {
    ends.set(listener, identity.subscribe(tell));
    // A server of grpc-js drops what it is told while it adds its listener.
    queueMicrotask(() => ends.has(listener) && tell());
  };
  const remove = (listener: unknown): void => {
    ends.get(listener)?.();
    ends.delete(listener);
  };
  const provider: experimental.CertificateProvider = {
    addCaCertificateListener: (listener) => add(listener, () => listener({ caCertificate: identity.current.ca })),
    removeCaCertificateListener: remove,
    addIdentityCertificateListener: (listener) =>
      add(listener, () => listener({ certificate: identity.current.cert, privateKey: identity.current.key })),
    removeIdentityCertificateListener: remove,
  };
  providers.set(identity, provider);
  return provider;
}

/**
 * What a server shows, and asks of its clients.
 *
 * @param required - whether clients without a certificate of the authority are turned away by TLS itself
 */
export function serverCredentials(identity: TlsIdentity, required: boolean): ServerCredentials {
  const provider = providerOf(identity);
  return experimental.createCertificateProviderServerCredentials(provider, provider, required);
}

/** What a client shows to the server at "host:port", whose certificate must be for that host. */
export function channelCredentials(
  identity: TlsIdentity,
  address: string,
): { credentials: ChannelCredentials; options: ChannelOptions } {
  const provider = providerOf(identity);
  const host = hostOf(address);
  if (isIP(host) === 0)
    return { credentials: experimental.createCertificateProviderChannelCredentials(provider, provider), options: {} };
  // TLS has no server names that are addresses, and Node.js warns of them: another name is sent, and the certificate is compared with the address.
  return {
    credentials: experimental.createCertificateProviderChannelCredentials(provider, provider, {
      checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate),
    }),
    options: nameFor(host),
  };
}

/** What a client without a certificate checks the server at "host:port" by. */
export function trustingCredentials(
  trust: ServerTrust,
  address: string,
): { credentials: ChannelCredentials; options: ChannelOptions } {
  const host = hostOf(address);
  if (trust === 'any')
    return { credentials: credentials.createSsl(null, null, null, { rejectUnauthorized: false }), options: nameFor(host) };
  const check = (_: string, certificate: PeerCertificate): Error | undefined => {
    const error = checkServerIdentity(host, certificate);
    if (error !== undefined || trust.role === undefined) return error;
    const roles = peerNames({ subjectAltName: certificate.subjectaltname }).map(({ role }) => role);
    return roles.includes(trust.role) ? undefined : new Error(`its certificate is not for role ${trust.role}`);
  };
  return {
    credentials: credentials.createSsl(Buffer.from(trust.ca), null, null, { checkServerIdentity: check }),
    options: nameFor(host),
  };
}

const hostOf = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

const nameFor = (host: string): ChannelOptions => (isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'millrace' });
