import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator } from '@nats-io/nats-core';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import { MillraceError } from '../../errors.ts';

/** Who connects, and how each side proves who it is. One of user, token, credentials and nkey is enough. */
export interface NatsLogin {
  user?: string | undefined;
  password?: string | undefined;
  token?: string | undefined;
  /** Credentials file (JWT and seed) of a user. It is read again for each connection, so that it can be replaced while this runs. */
  credsFile?: string | undefined;
  /** File with the seed of an nkey; read again as `credsFile` is. */
  nkeyFile?: string | undefined;
  /** PEM file of the certificate authority of the servers. Default: the authorities of Node.js. */
  caFile?: string | undefined;
  /** PEM file of a client certificate. */
  certFile?: string | undefined;
  /** PEM file of the client certificate's key. */
  keyFile?: string | undefined;
}

type LoginOptions = Pick<NodeConnectionOptions, 'user' | 'pass' | 'token' | 'authenticator' | 'tls'>;

/** The login in the words of the client. `invalid_argument`, naming the field, for a file that cannot be read or is not what it should be. */
export function loginOptions(login: NatsLogin): LoginOptions {
  const { user, password, token, credsFile, nkeyFile, caFile, certFile, keyFile } = login;
  const tls = Object.entries({ caFile, certFile, keyFile }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  for (const [field, file] of tls) bytesOf(field, file);
  return {
    ...(user !== undefined && { user, pass: password ?? '' }),
    ...(token !== undefined && { token }),
    ...(credsFile !== undefined && { authenticator: credsAuthenticator(credentialsOf(credsFile)) }),
    ...(nkeyFile !== undefined && { authenticator: nkeyAuthenticator(seedOf(nkeyFile)) }),
    ...(tls.length > 0 && { tls: Object.fromEntries(tls) }),
  };
}

const SEED = /\bS[A-Z2-7]{57}\b/;

/** A credentials file, read now to see that it is one, and at each connection. */
function credentialsOf(file: string): () => Uint8Array {
  const read = (): Uint8Array => bytesOf('credsFile', file);
  const text = Buffer.from(read()).toString('latin1');
  if (!text.includes('BEGIN NATS USER JWT') || !SEED.test(text))
    throw unusable('credsFile', file, 'is no credentials file of NATS');
  return read;
}

/** The seed in a file, among comments or alone. */
function seedOf(file: string): () => Uint8Array {
  const read = (): Uint8Array => {
    const seed = SEED.exec(Buffer.from(bytesOf('nkeyFile', file)).toString('latin1'));
    if (seed === null) throw unusable('nkeyFile', file, 'holds no seed of an nkey');
    return Buffer.from(seed[0]);
  };
  read();
  return read;
}

function bytesOf(field: string, file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw unusable(field, file, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}

function unusable(field: string, file: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid_argument', `nats.${field}: ${file} ${why}`, { field: `nats.${field}`, cause });
}
