import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Authenticator, Caller } from '../../src/access/authenticator.ts';
import { MillraceError } from '../../src/errors.ts';

/** A browser that logged in, by the cookie of its request. */
export interface BrowserSession {
  /** Of the caller that logged in; see {@link Authenticator.resume}. */
  readonly handle: string;
  /** What {@link CSRF_HEADER} has to say where a request changes something. */
  readonly csrf: string;
}

type Headers = Pick<IncomingMessage, 'headers' | 'method'>;

/** Finds the browser that logged in, for requests without a token. */
export type FindSession = (request: Headers) => BrowserSession | undefined;

/** Header that calls with a cookie carry, but for GET and HEAD. */
const CSRF_HEADER = 'x-millrace-csrf';

/** Who a request is from: by its `Authorization` header, or without one by a browser's session. Throws as {@link Authenticator.authenticate} does. */
export function callerOf(request: Headers, authenticator: Authenticator, session: FindSession): Caller {
  const { authorization } = request.headers;
  const found = authorization === undefined ? session(request) : undefined;
  if (found === undefined) return authenticator.authenticate({ authorization });
  // A page of another site could have the browser send its cookie, but does not know the header.
  const changes = request.method !== 'GET' && request.method !== 'HEAD';
  if (changes && !equal(String(request.headers[CSRF_HEADER] ?? ''), found.csrf))
    throw new MillraceError('permission_denied', `The header ${CSRF_HEADER} is missing or not that of this login.`);
  return authenticator.resume(found.handle);
}

/** Whether two texts are equal, in a time that does not say where they differ. */
export function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
