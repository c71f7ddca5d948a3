import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { TlsFiles } from '../../src/identity/tls-files.ts';
import { writeSecret } from '../infra/credentials.ts';
import { makeStateFolder } from '../infra/state-folder.ts';

/** What a running cluster leaves in its state folder for the command line. */
export interface AdminFile {
  /** "host:port" of the admin API. */
  address: string;
  /** Bearer token, when the admin API wants one. */
  token?: string | undefined;
  /** What a client needs, where it has TLS; absolute. */
  tls?: TlsFiles | undefined;
  /** Process that serves it. */
  pid?: number | undefined;
}

/** Version of the file's layout; absent before there was one. */
const ADMIN_FORMAT = 1;

/** Path of the file in a state folder. */
export function adminFilePath(stateDir: string): string {
  return join(stateDir, 'admin.json');
}

/** Writes the file in one step, readable by this user only since it holds the token. */
export function writeAdminFile(stateDir: string, content: AdminFile): void {
  makeStateFolder(stateDir);
  writeSecret(adminFilePath(stateDir), `${JSON.stringify({ format: ADMIN_FORMAT, ...content })}\n`);
}

/** Removes the file. Only for whoever holds the lock of the state folder. */
export function forgetAdminFile(stateDir: string): void {
  rmSync(adminFilePath(stateDir), { force: true });
}

/** Reads the file; undefined when there is none, `failed_precondition` when it cannot be read. */
export function readAdminFile(stateDir: string): AdminFile | undefined {
  const path = adminFilePath(stateDir);
  try {
    return checked(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES') {
      const advice = 'ask its owner for a token, and give --address and --token-file';
      throw new MillraceError('permission_denied', `${path} is another account's; ${advice}.`, { cause });
    }
    const newer = cause instanceof NewerFormat ? ': a newer version of Millrace wrote it' : '';
    throw new MillraceError(
      'failed_precondition',
      `${path} cannot be read${newer}; delete it and start the cluster again, or give --address.`,
      {
        cause,
      },
    );
  }
}

/* By hand: loading a schema library would double the start-up time of every command. */
function checked(value: unknown): AdminFile {
  const { format, address, token, tls, pid } = value as Partial<AdminFile> & { format?: unknown };
  if (typeof format === 'number' && format > ADMIN_FORMAT) throw new NewerFormat();
  if (typeof address !== 'string' || (token !== undefined && typeof token !== 'string'))
    throw new TypeError('address and token are texts');
  return { address, token, ...(isTls(tls) && { tls }), pid: typeof pid === 'number' ? pid : undefined };
}

function isTls(value: Partial<TlsFiles> | undefined): value is TlsFiles {
  return value !== undefined && [value.caFile, value.certFile, value.keyFile].every((file) => typeof file === 'string');
}

class NewerFormat extends Error {}
