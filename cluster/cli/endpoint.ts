import { MillraceError } from '../../src/errors.ts';
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
  /** Where the address was found, for messages. */
  origin: string;
}

/** What {@link findEndpoint} looks at. */
export interface EndpointSources {
  /** --address */
  address: string | undefined;
  /** --token-file */
  tokenFile: string | undefined;
  stateDir: string;
  env: NodeJS.ProcessEnv;
  /** Folder that relative names of token files are in. */
  cwd: string;
}

/**
 * Finds the admin API: --address, MILLRACE_ADDRESS, else the file that a running cluster leaves in its state folder. The
 * token likewise (--token-file, MILLRACE_TOKEN, MILLRACE_TOKEN_FILE); the file's token is only used for the file's address.
 * `unavailable` when there is nothing.
 */
export function findEndpoint({ address, tokenFile, stateDir, env, cwd }: EndpointSources): Endpoint {
  const given = address ?? (env['MILLRACE_ADDRESS'] || undefined);
  const givenToken =
    tokenFile === undefined
      ? env['MILLRACE_TOKEN'] || readTokenFile(env['MILLRACE_TOKEN_FILE'] || undefined, cwd, 'MILLRACE_TOKEN_FILE')
      : readTokenFile(tokenFile, cwd, '--token-file');
  if (given !== undefined) {
    const file = readableAdminFile(stateDir);
    const fileToken = file?.address === given ? file.token : undefined;
    return { address: given, token: givenToken ?? fileToken, origin: address === undefined ? 'MILLRACE_ADDRESS' : '--address' };
  }
  const path = adminFilePath(stateDir);
  const file = readAdminFile(stateDir);
  if (file) {
    const gone = file.pid !== undefined && !isAlive(file.pid) ? `, left by process ${file.pid}, which is gone` : '';
    return { address: file.address, token: givenToken ?? file.token, origin: `${path}${gone}` };
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
