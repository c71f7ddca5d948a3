import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MillraceError } from '../errors.ts';
import { peerNames, type PeerName } from './peer-name.ts';

/** PEM files of what a process shows its peers, and checks theirs with. */
export interface TlsFiles {
  /** Certificates of the authorities that peers' certificates must be from. */
  readonly caFile: string;
  /** Certificate of this process; those between it and the authority after it. */
  readonly certFile: string;
  /** Private key of the certificate. */
  readonly keyFile: string;
}

/** What {@link readTlsFiles} has read. */
export interface TlsMaterial {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Names in the certificate. */
  readonly names: readonly PeerName[];
  /** Unix time in milliseconds at which the certificate expires. */
  readonly expiresAt: number;
}

/**
 * Reads the files and checks that they go together. Throws `failed_precondition`, whose field is the setting, with the file and what is
 * wrong: it cannot be read, holds something else, has expired, is from another authority, the key is another's.
 *
 * @param now - Unix time in milliseconds
 */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFiles, now: number): TlsMaterial {
  const [ca, cert, key] = [read(caFile, 'caFile'), read(certFile, 'certFile'), read(keyFile, 'keyFile')];
  const authorities = certificates(ca, caFile, 'caFile');
  const chain = certificates(cert, certFile, 'certFile');
  for (const each of authorities) checkTime(each, caFile, 'caFile', now);
  for (const each of chain) checkTime(each, certFile, 'certFile', now);
  const own = chain[0]!;
  if (!own.checkPrivateKey(privateKey(key, keyFile)))
    throw wrong('keyFile', `${keyFile} is not the key of the certificate in ${certFile}`);
  if (!isIssued(own, authorities, chain.slice(1)))
    throw wrong('certFile', `${certFile} is not from an authority in ${caFile} (its issuer is ${oneLine(own.issuer)})`);
  return { ca, cert, key, names: peerNames(own), expiresAt: Math.min(...chain.map(({ validTo }) => Date.parse(validTo))) };
}

function read(file: string, field: keyof TlsFiles): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw wrong(field, `${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, cause);
  }
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificates(pem: Buffer, file: string, field: keyof TlsFiles): X509Certificate[] {
  const blocks = pem.toString('latin1').match(BLOCK) ?? [];
  if (blocks.length === 0) throw wrong(field, `${file} holds no certificate in PEM`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (cause) {
    throw wrong(field, `${file} holds a certificate that cannot be read`, cause);
  }
}

function privateKey(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw wrong('keyFile', `${file} holds no private key in PEM without a passphrase`, cause);
  }
}

function checkTime({ validFrom, validTo }: X509Certificate, file: string, field: keyof TlsFiles, now: number): void {
  if (now > Date.parse(validTo)) throw wrong(field, `${file} has expired (${validTo})`);
  if (now < Date.parse(validFrom)) throw wrong(field, `${file} is not valid before ${validFrom}; is the clock right?`);
}

/** Whether an authority signed the certificate, or one between them that one of them signed. */
function isIssued(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  between: readonly X509Certificate[],
): boolean {
  const signed = (by: X509Certificate): boolean => by.ca && certificate.checkIssued(by) && certificate.verify(by.publicKey);
  if (authorities.some(signed)) return true;
  return between.some((next, i) => signed(next) && isIssued(next, authorities, between.toSpliced(i, 1)));
}

const oneLine = (text: string): string => text.replaceAll('\n', ', ');

function wrong(field: keyof TlsFiles, message: string, cause?: unknown): MillraceError {
  return new MillraceError('failed_precondition', `${message}; tls.${field} names it.`, { field: `tls.${field}`, cause });
}
