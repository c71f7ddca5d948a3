import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MillraceError } from '../errors.ts';
import { SCOPES } from './scopes.ts';

/** Names of credentials. None has a dot, which those of files have. */
export const CREDENTIAL_NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;

const FORMAT = 1;
const time = z.number();
const schema = z.strictObject({
  format: z.literal(FORMAT),
  name: z.string().regex(CREDENTIAL_NAME),
  /** Owner of what its holder makes. */
  owner: z.string().min(1),
  scopes: z.array(z.enum(SCOPES)).min(1),
  /** SHA-256 of the tokens that are taken, in hex: the newest first, then one that was replaced and is taken until its time. */
  tokens: z.array(z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), until: time.optional() })).min(1),
  /** Unix milliseconds, like all times here. */
  createdAt: time,
  /** Name of the credential that made it. */
  createdBy: z.string(),
  expiresAt: time,
  rotatedAt: time.optional(),
  revokedAt: time.optional(),
});

/** A credential as the cluster keeps it: without its token. */
export type Credential = z.infer<typeof schema>;

/** What is kept of a token. */
export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Bytes that {@link decodeCredential} reads. */
export function encodeCredential(credential: Omit<Credential, 'format'>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...credential, format: FORMAT }));
}

/** Reads the value under a key. `failed_precondition` when a newer version wrote it, `data_loss` when it is no credential. */
export function decodeCredential(value: Uint8Array, key: string): Credential {
  let given: { format?: unknown } | null;
  try {
    given = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value)) as typeof given;
  } catch (cause) {
    throw new MillraceError('data_loss', 'it is not JSON (truncated, or something else)', { cause });
  }
  if (typeof given?.format === 'number' && given.format > FORMAT)
    throw new MillraceError('failed_precondition', `a newer version of Millrace wrote it (format ${given.format}): upgrade`);
  const parsed = schema.safeParse(given);
  if (!parsed.success)
    throw new MillraceError('data_loss', `it is no credential (${parsed.error.issues[0]?.path.join('.') || 'no object'})`);
  if (parsed.data.name !== key) throw new MillraceError('data_loss', `it is that of "${parsed.data.name}"`);
  return parsed.data;
}

/** Why a credential lets nobody in now, in words that follow "The credential"; undefined when it does. */
export function invalidity({ name, expiresAt, revokedAt }: Credential, now: number): string | undefined {
  if (revokedAt !== undefined) return `${name} was revoked`;
  return expiresAt <= now ? `${name} has expired` : undefined;
}
