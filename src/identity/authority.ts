// Before the library, whose container needs it.
import 'reflect-metadata';
import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { MillraceError } from '../errors.ts';
import { peerUri, type PeerName } from './peer-name.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** Clocks of hosts differ. */
const SKEW_MS = 3_600_000;
const AUTHORITY_DAYS = 3650;
/** How long certificates are valid, in days. */
export const CERTIFICATE_DAYS = 365;

x509.cryptoProvider.set(webcrypto);

/** A certificate and its private key, as PEM. */
export interface KeyedCertificate {
  cert: string;
  key: string;
}

/** What a certificate says besides its key. */
export interface CertificateSubject {
  /** Who it is for; none for a server that is no node. */
  names: readonly PeerName[];
  /** Host names and IP addresses that it may serve under. */
  hosts: readonly string[];
  /** For people who look at it. Default: the node of the first name, else the first host. */
  commonName?: string;
}

/** Makes an authority of a cluster: a self-signed certificate and its key. */
export async function makeAuthority(cluster: string): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: distinguished(`millrace ${cluster}`),
    ...validity(AUTHORITY_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(certificate), key: await keyPem(keys.privateKey) };
}

/** Makes a key and a certificate of it, for {@link CERTIFICATE_DAYS}. */
export async function issueCertificate(authority: KeyedCertificate, subject: CertificateSubject): Promise<KeyedCertificate> {
  const { privateKey, publicKey } = await newKeys();
  return { cert: await certify(authority, publicKey, subject), key: await keyPem(privateKey) };
}

/** Makes a key and a request for a certificate of it, to be signed by {@link signRequest} elsewhere: the key stays here. */
export async function makeRequest(commonName: string): Promise<{ request: string; key: string }> {
  const keys = await newKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: distinguished(commonName),
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return { request: pem(request), key: await keyPem(keys.privateKey) };
}

/**
 * Makes a certificate of the key in a request. What it says is `subject`; names in the request are not looked at. `invalid_argument`
 * for a request that cannot be read, or that the owner of the key did not sign.
 */
export async function signRequest(authority: KeyedCertificate, request: string, subject: CertificateSubject): Promise<string> {
  let parsed: x509.Pkcs10CertificateRequest;
  try {
    parsed = new x509.Pkcs10CertificateRequest(request);
    if (!(await parsed.verify())) throw new Error('its signature is wrong');
  } catch (cause) {
    throw new MillraceError('invalid_argument', `The certificate request cannot be used: ${(cause as Error).message}.`, {
      cause,
      field: 'request',
    });
  }
  return certify(authority, parsed.publicKey, subject);
}

/** SHA-256 of an authority's public key, as base64url: what a host pins that does not know the authority yet. */
export function authorityFingerprint(cert: string | Buffer): string {
  const { publicKey } = new X509Certificate(cert);
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

async function certify(
  authority: KeyedCertificate,
  publicKey: x509.PublicKey | webcrypto.CryptoKey,
  { names, hosts, commonName }: CertificateSubject,
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.cert);
  const alternatives: x509.JsonGeneralNames = [
    ...names.map((name) => ({ type: 'url' as const, value: peerUri(name) })),
    ...hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguished(commonName ?? names[0]?.node ?? hosts[0] ?? 'millrace'),
    issuer: issuer.subject,
    ...validity(CERTIFICATE_DAYS),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(alternatives),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return pem(certificate);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function importKey(key: string): Promise<webcrypto.CryptoKey> {
  try {
    return (await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(key), ALGORITHM, false, [
      'sign',
    ])) as webcrypto.CryptoKey;
  } catch (cause) {
    throw new MillraceError('failed_precondition', 'The key of the authority is no P-256 key in PKCS #8.', {
      cause,
      field: 'caKey',
    });
  }
}

const keyPem = async (key: webcrypto.CryptoKey): Promise<string> =>
  `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
const pem = (data: x509.PemData<unknown>): string => `${data.toString('pem')}\n`;

/** 127 random bits: unique, and a positive number in its encoding. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0]! &= 0x7f;
  return Buffer.from(bytes).toString('hex');
}

/** One that is longer than names in certificates may be is cut. */
const distinguished = (commonName: string): x509.JsonName => [{ CN: [commonName.slice(0, 64)] }];

const validity = (days: number): { notBefore: Date; notAfter: Date } => {
  const now = Date.now();
  return { notBefore: new Date(now - SKEW_MS), notAfter: new Date(now + days * DAY_MS) };
};
