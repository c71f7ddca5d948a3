import { createHash, timingSafeEqual } from 'node:crypto';
import type { SessionRecord } from '../../../src/jobs/sessions/session.ts';
import { newSecret } from '../../infra/credentials.ts';

const KEY = /^mrs-([0-9a-f]{32})-[A-Za-z0-9_-]{43}$/;

/** A key of the session with this id: 256 bits of the system's random source. */
export const newSessionKey = (id: string): string => `mrs-${id}-${newSecret(32)}`;

/** The session that a key may be of; undefined for what can be no key. */
export const sessionOfKey = (key: string): string | undefined => KEY.exec(key)?.[1];

/** Whether a credential is meant to be a key of a session. */
export const isSessionKey = (credential: string): boolean => credential.startsWith('mrs-');

/** What is kept of a key. */
export const hashOfKey = (key: string): string => createHash('sha256').update(key).digest('hex');

/** Whether this is the key of the session. The time that takes says nothing of the key. */
export function isKeyOf({ keyHash }: Pick<SessionRecord, 'keyHash'>, key: string): boolean {
  return timingSafeEqual(Buffer.from(keyHash, 'hex'), Buffer.from(hashOfKey(key), 'hex'));
}
