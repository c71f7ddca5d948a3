import { toJson } from '@bufbuild/protobuf';
import { CredentialSchema, CredentialState, type Credential } from '../../src/gen/millrace/v1/access_pb.ts';
import { timestamp } from './format.ts';
import { table } from './table.ts';

const STATE: Readonly<Record<CredentialState, string>> = {
  [CredentialState.UNSPECIFIED]: 'unknown',
  [CredentialState.ACTIVE]: 'active',
  [CredentialState.EXPIRED]: 'expired',
  [CredentialState.REVOKED]: 'revoked',
};

/** A credential as JSON: the fields of access.proto in lowerCamelCase, its state as a word. */
export function credentialJson(credential: Credential): Record<string, unknown> {
  return { ...(toJson(CredentialSchema, credential) as object), state: STATE[credential.state] };
}

/** One line a credential. */
export function credentialTable(credentials: readonly Credential[]): string {
  const rows = credentials.map(({ name, owner, scopes, state, expireTime, createdBy, rotateTime }) => [
    ...[name, owner, scopes.join(' '), STATE[state], timestamp(expireTime)],
    ...[createdBy, rotateTime === undefined ? '' : timestamp(rotateTime)],
  ]);
  return table(['CREDENTIAL', 'OWNER', 'SCOPES', 'STATE', 'EXPIRES', 'MADE BY', 'ROTATED'], rows);
}

/** What a token is for, in a sentence. */
export function credentialLine({ name, owner, scopes, expireTime, overlapEndTime }: Credential): string {
  const overlap = overlapEndTime === undefined ? '' : ` The token before is taken until ${timestamp(overlapEndTime)}.`;
  return `It lets ${name} ${scopes.join(', ')} until ${timestamp(expireTime)}; what ${name} makes belongs to ${owner}.${overlap}`;
}
