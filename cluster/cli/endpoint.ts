import { resolve } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { TlsFiles } from '../../src/identity/tls-files.ts';
import { adminFilePath, readAdminFile, type AdminFile } from '../up/admin-file.ts';
import { readTokenFile } from './token-file.ts';
import { readStarting } from '../up/starting.ts';

/** There is a cluster, but it does not answer yet: `unavailable`. */
export class ClusterStarting extends MillraceError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

/** Where the admin API is. */
export interface Endpoint {
  address: string;
  token: string | undefined;
  /** What it is called with, where it has TLS. */
  tls?: TlsFiles | undefined;
  /** Where the address was found, for messages. */
  origin: string;
}

/** What {@link findEndpoint} looks at. */
export interface EndpointSources {
  /** --address */
  address: string | undefined;
  /** --token-file */
  tokenFile: string | undefined;
  /** --tls-ca, --tls-cert, --tls-key */
  tls?: Readonly<Partial<TlsFiles>>;
  stateDir: string;
  env: NodeJS.ProcessEnv;
  /** Folder that relative names of token files are in. */
  cwd: string;
}

/**
 * Finds the admin API: --address, MILLRACE_ADDRESS, else the file that a running cluster leaves in its state folder. The
 * token likewise (--token-file, MILLRACE_TOKEN, MILLRACE_TOKEN_FILE), and the files of TLS (--tls-ca, MILLRACE_TLS_CA and so on); what the
 * file says of them is only used for the file's address. `unavailable` when there is nothing.
 */
export function findEndpoint({ address, tokenFile, tls, stateDir, env, cwd }: EndpointSources): Endpoint {
  const given = address ?? (env['MILLRACE_ADDRESS'] || undefined);
  const givenToken =
    tokenFile === undefined
      ? env['MILLRACE_TOKEN'] || readTokenFile(env['MILLRACE_TOKEN_FILE'] || undefined, cwd, 'MILLRACE_TOKEN_FILE')
      : readTokenFile(tokenFile, cwd, '--token-file');
  const givenTls = tlsFiles(tls, env, cwd);
  if (given !== undefined) {
    const file = readableAdminFile(stateDir);
    const known = file?.address === given ? file : undefined;
    const origin = address === undefined ? 'MILLRACE_ADDRESS' : '--address';
    return { address: given, token: givenToken ?? known?.token, tls: givenTls ?? known?.tls, origin };
  }
  const path = adminFilePath(stateDir);
  const file = readAdminFile(stateDir);
  if (file) {
    const gone = file.pid !== undefined && !isAlive(file.pid) ? `, left by process ${file.pid}, which is gone` : '';
    return { address: file.address, token: givenToken ?? file.token, tls: givenTls ?? file.tls, origin: `${path}${gone}` };
  }
  const starting = readStarting(stateDir);
  if (starting !== undefined) {
    const { pid, since, waitsFor } = starting;
    const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
    throw new ClusterStarting(
      `The cluster in ${stateDir} is starting (process ${pid}, for ${seconds} s): waiting for ${waitsFor.join(', ')}.`,
    );
  }
  throw new MillraceError('unavailable', `No cluster is running here: there is no ${path}.`);
}

/** Flags and variables that name the files of TLS. */
const TLS_SOURCES = {
  caFile: ['--tls-ca', 'MILLRACE_TLS_CA'],
  certFile: ['--tls-cert', 'MILLRACE_TLS_CERT'],
  keyFile: ['--tls-key', 'MILLRACE_TLS_KEY'],
} as const satisfies Record<keyof TlsFiles, readonly [string, string]>;

/** The files that flags or the environment name: all or none. */
function tlsFiles(flags: Readonly<Partial<TlsFiles>> = {}, env: NodeJS.ProcessEnv, cwd: string): TlsFiles | undefined {
  const fields = Object.keys(TLS_SOURCES) as (keyof TlsFiles)[];
  const given = fields.map((field) => flags[field] ?? (env[TLS_SOURCES[field][1]] || undefined));
  const missing = fields.find((_, i) => given[i] === undefined);
  if (given.every((file) => file === undefined)) return undefined;
  if (missing !== undefined) {
    const [flag, variable] = TLS_SOURCES[missing];
    throw new MillraceError(
      'invalid_argument',
      `${flag}: TLS needs a CA, a certificate and its key; give it, or set ${variable}.`,
      {
        field: flag,
      },
    );
  }
  const [caFile, certFile, keyFile] = given.map((file) => resolve(cwd, file!)) as [string, string, string];
  return { caFile, certFile, keyFile };
}

/** No proof that the cluster is gone: it may run in a container of its own. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Where an address is given, a file that cannot be read is only a token less. */
function readableAdminFile(stateDir: string): AdminFile | undefined {
  try {
    return readAdminFile(stateDir);
  } catch {
    return undefined;
  }
}
