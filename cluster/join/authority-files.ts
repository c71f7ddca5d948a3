import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../src/errors.ts';
import type { KeyedCertificate } from '../../src/identity/authority.ts';
import { CREDENTIAL_FILES, natsPasswordFile } from '../infra/credentials.ts';
import { hidden, ROLE_CREDENTIALS, type ClusterFile } from '../infra/role-files.ts';
import type { JoinRole } from './join-roles.ts';

/** Folder of the secrets of all roles, in the credentials of a coordinator. */
const JOIN_FOLDER = 'join';

/** The certificate of the authority, which every node has. */
export const authorityCertificate = (folder: string): string => needed(join(folder, 'ca.pem'));

/** The authority whose key is with the credentials of a coordinator. `failed_precondition` with the file that is missing. */
export function authorityIn(folder: string): KeyedCertificate {
  return { cert: authorityCertificate(folder), key: needed(join(folder, 'ca.key')) };
}

/** Tokens and NATS passwords of roles, for the folder of a node. Throws as {@link authorityIn} does. */
export function secretsOf(folder: string, roles: readonly JoinRole[]): ClusterFile[] {
  const names = roles.flatMap((role) => [
    natsPasswordFile(role),
    ...ROLE_CREDENTIALS[role].map((name) => CREDENTIAL_FILES[name]),
  ]);
  return [...new Set(names)].map((name) => hidden(`credentials/${name}`, needed(join(folder, JOIN_FOLDER, name))));
}

function needed(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new MillraceError(
      'failed_precondition',
      `Hosts cannot join through this coordinator: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}). \`millrace cluster init\` makes it, in roles/coordinator/credentials; ask a coordinator that has it, or copy it there.`,
      { cause, field: 'credentialsDir' },
    );
  }
}
