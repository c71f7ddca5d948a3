import { createHash, timingSafeEqual } from 'node:crypto';
import { exception } from './exception.ts';

/** The user who may change things. */
const WRITER = 'writer';

/** Names of the user who reads; clients that are told no name call themselves `default`. */
const READERS: readonly string[] = ['reader', 'default'];

/** Passwords of the users there are. */
export interface UserPasswords {
  /** Of the reader; without one any password will do, as in ClickHouse as it comes. */
  readToken?: string | undefined;
  /** Of {@link WRITER}; without one there is no such user. */
  writeToken?: string | undefined;
}

/** Who asks: the reader, or {@link WRITER}. Throws AUTHENTICATION_FAILED for everyone else. */
export function authenticate(user: string, password: string, { readToken, writeToken }: UserPasswords): { mayWrite: boolean } {
  if (READERS.includes(user) && (readToken === undefined || same(password, readToken))) return { mayWrite: false };
  if (user === WRITER && writeToken !== undefined && same(password, writeToken)) return { mayWrite: true };
  throw exception(
    'AUTHENTICATION_FAILED',
    `${JSON.stringify(user.slice(0, 80)).slice(1, -1)}: Authentication failed: password is incorrect, or there is no user with such name.`,
  );
}

/** Compares in a time that tells nothing. */
function same(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
