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

/**
 * What a client shows to the server at "host:port", whose certificate must be for that host and, where `role` says one, for this role: a
 * host of another role must not be able to pass itself off as the server.
 */
export function channelCredentials(
  identity: TlsIdentity,
  address: string,
  role?: string,
): { credentials: ChannelCredentials; options: ChannelOptions } {
  const provider = providerOf(identity);
  const host = hostOf(address);
  const check = (_: string, certificate: PeerCertificate): Error | undefined =>
    checkServerIdentity(host, certificate) ?? roleError(certificate, role);
  // TLS has no server names that are addresses, and Node.js warns of them: another name is sent, and the certificate is compared with the address.
  return {
    credentials: experimental.createCertificateProviderChannelCredentials(provider, provider, { checkServerIdentity: check }),
    options: nameFor(host),
  };
}

/** What is wrong with a server's certificate that has to be for a role. */
function roleError({ subjectaltname }: PeerCertificate, role: string | undefined): Error | undefined {
  if (role === undefined || peerNames({ subjectAltName: subjectaltname }).some((name) => name.role === role)) return undefined;
  return new Error(`its certificate is not for role ${role}`);
}

/** What a client without a certificate checks the server at "host:port" by. */
export function trustingCredentials(
  trust: ServerTrust,
  address: string,
): { credentials: ChannelCredentials; options: ChannelOptions } {
  const host = hostOf(address);
  if (trust === 'any')
    return { credentials: credentials.createSsl(null, null, null, { rejectUnauthorized: false }), options: nameFor(host) };
  const check = (_: string, certificate: PeerCertificate): Error | undefined =>
    checkServerIdentity(host, certificate) ?? roleError(certificate, trust.role);
  return {
    credentials: credentials.createSsl(Buffer.from(trust.ca), null, null, { checkServerIdentity: check }),
    options: nameFor(host),
  };
}

const hostOf = (address: string): string => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

const nameFor = (host: string): ChannelOptions => (isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'millrace' });
