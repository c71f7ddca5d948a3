import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, constants } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { IDENTITIES, type Identity } from './nats/access.ts';
import type { NatsPasswords } from './nats/configuration.ts';

/** Folder of secrets in a state folder, each in a file that its owner alone can read. */
const FOLDER = 'credentials';

const PRINTABLE = /^[\x20-\x7e]*$/;
const LEAST_LENGTH = 16;

/** Secrets of a cluster, by what they let do. */
export interface Credentials {
  /** Bearer token of the admin API. */
  token: string;
  /** Bearer token of the parameter server; learners have it. */
  workToken: string;
  /** Bearer token of the store's gRPC; coordinators have it. */
  storeToken: string;
  /** Password of user `reader` on ClickHouse's HTTP interface. */
  readToken: string;
  /** Password of user `writer` there. */
  writeToken: string;
  /** Bearer tokens of the gateway, by the scope that they give. */
  gatewayMetricsToken: string;
  gatewayReadToken: string;
  gatewayWriteToken: string;
  gatewayAdminToken: string;
  /** Bearer token that the gateway calls coordinators with. */
  gatewayWorkToken: string;
}

/** Name of each credential's file. */
export const CREDENTIAL_FILES = {
  token: 'admin.token',
  workToken: 'work.token',
  storeToken: 'store.token',
  readToken: 'reader.token',
  writeToken: 'writer.token',
  gatewayMetricsToken: 'gateway-metrics.token',
  gatewayReadToken: 'gateway-read.token',
  gatewayWriteToken: 'gateway-write.token',
  gatewayAdminToken: 'gateway-admin.token',
  gatewayWorkToken: 'gateway-work.token',
} as const satisfies Record<keyof Credentials, string>;

type CredentialFile = (typeof CREDENTIAL_FILES)[keyof Credentials];

/** Folder of the credentials in a state folder. */
export const credentialsFolder = (stateDir: string): string => join(stateDir, FOLDER);

/** Path of a credential's file, or of what {@link openCredentials} leaves for `curl --netrc-file`. */
export function credentialPath(stateDir: string, name: CredentialFile | `${'reader' | 'writer'}.netrc`): string {
  return join(stateDir, FOLDER, name);
}

/**
 * The credentials of the cluster in a state folder. What `given` does not say is read from the file that an earlier start left, else made
 * up; the files hold what is in force. So clients keep theirs over restarts, and deleting a file before a start replaces its secret.
 * `failed_precondition` for a file that is not this account's alone, or holds no token.
 */
export function openCredentials(stateDir: string, given: Partial<Credentials> = {}): Credentials {
  mkdirSync(join(stateDir, FOLDER), { recursive: true, mode: 0o700 });
  const names = Object.keys(CREDENTIAL_FILES) as (keyof Credentials)[];
  const credentials = Object.fromEntries(
    names.map((name) => [name, openSecret(join(stateDir, FOLDER, CREDENTIAL_FILES[name]), given[name])]),
  ) as Record<keyof Credentials, string>;
  for (const [user, password] of [
    ['reader', credentials.readToken],
    ['writer', credentials.writeToken],
  ] as const) {
    const lines = ['127.0.0.1', 'localhost'].map((machine) => `machine ${machine} login ${user} password ${password}\n`);
    writeSecret(credentialPath(stateDir, `${user}.netrc`), lines.join(''));
  }
  return credentials;
}

/**
 * Passwords of the identities on the cluster's own nats-server, made up and kept as those of {@link openCredentials} are: in
 * `credentials/nats-<identity>.password`.
 */
export function openNatsPasswords(stateDir: string): NatsPasswords {
  mkdirSync(join(stateDir, FOLDER), { recursive: true, mode: 0o700 });
  const passwords = IDENTITIES.map((identity): [Identity, string] => [
    identity,
    openSecret(join(stateDir, FOLDER, natsPasswordFile(identity))),
  ]);
  return Object.fromEntries(passwords) as Record<Identity, string>;
}

/** Name of the file with the password of an identity. */
export function natsPasswordFile(identity: Identity): string {
  return `nats-${identity}.password`;
}

/** What a file holds, or what it is to hold from now on. */
function openSecret(path: string, given?: string): string {
  const found = readSecret(path);
  const value = given ?? found ?? newSecret();
  if (value !== found) writeSecret(path, `${value}\n`);
  return value;
}

/** Random bytes that nobody can guess, as base64url. */
export const newSecret = (bytes = 24): string => randomBytes(bytes).toString('base64url');

/** Writes a file in one step, readable by this account only. */
export function writeSecret(path: string, content: string): void {
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, content, { mode: 0o600, flag: 'wx' });
  renameSync(temporary, path);
}

function readSecret(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, `cannot be read (${(error as NodeJS.ErrnoException).code})`, error);
  }
  try {
    const { uid, mode } = fstatSync(file);
    if (uid !== (process.getuid?.() ?? uid)) throw unusable(path, `belongs to another account (uid ${uid})`);
    if ((mode & 0o077) !== 0) throw unusable(path, 'could be read by other accounts');
    const text = readFileSync(file, 'utf8').trim();
    const problem = secretProblem(text);
    if (problem !== undefined) throw unusable(path, problem);
    return text;
  } finally {
    closeSync(file);
  }
}

/** Why a text cannot be a token or password; undefined when it can. */
export function secretProblem(text: string): string | undefined {
  // It travels in headers.
  if (!PRINTABLE.test(text)) return 'holds no token of printable ASCII';
  return text.length < LEAST_LENGTH ? `holds no token of at least ${LEAST_LENGTH} characters` : undefined;
}

function unusable(path: string, why: string, cause?: unknown): MillraceError {
  return new MillraceError('failed_precondition', `${path} ${why}; delete it, and the next start makes a new one.`, { cause });
}
