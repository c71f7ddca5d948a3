import { createHash, timingSafeEqual } from 'node:crypto';
import { exception } from './exception.ts';

/** The user who may change things. */
export const WRITER = 'writer';

/**
 * Who asks: `default`, who reads and needs no password, as in ClickHouse as it comes; or {@link WRITER} with the write token.
 * Throws AUTHENTICATION_FAILED for everyone else.
 */
export function authenticate(user: string, password: string, writeToken: string | undefined): { mayWrite: boolean } {
  if (user === 'default') return { mayWrite: false };
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
