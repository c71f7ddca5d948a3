import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import { CREDENTIAL_FILES, natsPasswordFile, secretProblem, type Credentials } from './credentials.ts';
import type { Identity } from './nats/access.ts';

/** What others than owner and group may do. */
const EVERYBODY = 0o007;
/** What the group may do that owns the file: reading is how a mounted secret reaches a process that is not root. */
const GROUP_CHANGES = 0o030;

/**
 * The credentials of a node in a folder that somebody else has filled (a mounted secret, a copy from another host). A file is read when its
 * credential is asked for, so that a node needs those of its own roles only, and none is ever made up: the cluster would not know it.
 *
 * Getters throw `invalid_argument` (field `credentialsDir`) with the path of a file that is not there, holds no token, belongs to an account
 * other than this one and root, or is open to accounts other than its owner and, for reading, its group.
 *
 * @param given - credentials that the settings name, which need no file
 */
export function credentialsIn(folder: string, given: Partial<Credentials> = {}): Credentials {
  const credentials = {};
  for (const [name, file] of Object.entries(CREDENTIAL_FILES) as [keyof Credentials, string][]) {
    Object.defineProperty(credentials, name, { enumerable: true, get: () => given[name] ?? needed(join(folder, file)) });
  }
  return credentials as Credentials;
}

/** Path and content of the file with an identity's password on NATS; without `password` there is no such file. Throws as {@link credentialsIn} does. */
export function natsPasswordIn(folder: string, identity: Identity): { path: string; password: string | undefined } {
  const path = join(folder, natsPasswordFile(identity));
  return { path, password: read(path) };
}

function needed(path: string): string {
  const text = read(path);
  if (text !== undefined) return text;
  throw problem(path, 'is not there: copy it from the credentials folder of the cluster, or say with credentialsDir where it is');
}

function read(path: string): string | undefined {
  let text: string;
  try {
    const { uid, mode } = statSync(path);
    const own = process.getuid?.() ?? uid;
    if (uid !== own && uid !== 0) throw problem(path, `belongs to another account (uid ${uid}); chown it`);
    if ((mode & EVERYBODY) !== 0) throw problem(path, 'is open to every account of the machine; chmod o-rwx it');
    if ((mode & GROUP_CHANGES) !== 0) throw problem(path, 'can be changed by its group; chmod g-wx it');
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw problem(path, `cannot be read (${code})`);
  }
  const why = secretProblem(text);
  if (why !== undefined) throw problem(path, why);
  return text;
}

function problem(path: string, what: string): MillraceError {
  return new MillraceError('invalid_argument', `${path} ${what}.`, { field: 'credentialsDir' });
}
