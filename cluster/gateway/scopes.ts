import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { MillraceError } from '../../src/errors.ts';

/** What a credential lets its holder do; each includes those before it. Numbers of the process are for monitoring, which needs no more. */
export const SCOPES = ['metrics', 'read', 'write', 'admin'] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** Bearer tokens by the scope that they give. At least one. */
export type Tokens = Partial<Readonly<Record<Scope, string>>>;

type Headers = Pick<IncomingMessage, 'headers' | 'method'>;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A browser that logged in, by the cookie of its request. */
export interface BrowserSession {
  readonly scope: Scope;
  /** What {@link CSRF_HEADER} has to say where a request changes something. */
  readonly csrf: string;
}

/** Header that calls with a cookie carry, but for GET and HEAD. */
const CSRF_HEADER = 'x-millrace-csrf';

/** Finds the scope of a request: that of its `Authorization` header, or without one that of a browser's session. */
export class Authenticator {
  readonly #known: readonly { scope: Scope; digest: Buffer }[];
  readonly #session: (request: Headers) => BrowserSession | undefined;

  /** Throws `failed_precondition` without a token: nobody gets in without one, and so nobody would. */
  constructor(tokens: Tokens, session: (request: Headers) => BrowserSession | undefined = () => undefined) {
    this.#session = session;
    this.#known = SCOPES.flatMap((scope) => {
      const token = tokens[scope];
      return token === undefined || token === '' ? [] : [{ scope, digest: digest(token) }];
    });
    if (this.#known.length === 0)
      throw new MillraceError('failed_precondition', 'The gateway needs a token to let clients in with; none was given.', {
        field: 'tokens',
      });
  }

  /**
   * Checks that a request may do what takes `needed`. Throws `unauthenticated` for a token that is missing or unknown,
   * `permission_denied` for one whose scope is too small.
   */
  authorize(request: Headers, needed: Scope): Scope {
    const { authorization } = request.headers;
    const scope = (authorization === undefined ? this.#scopeOfBrowser(request) : undefined) ?? this.scopeOf(authorization);
    if (SCOPES.indexOf(scope) < SCOPES.indexOf(needed))
      throw new MillraceError('permission_denied', `This takes a token of scope ${needed}; yours has scope ${scope}.`);
    return scope;
  }

  /** A page of another site could have the browser send its cookie, but does not know the header. */
  #scopeOfBrowser(request: Headers): Scope | undefined {
    const session = this.#session(request);
    if (session === undefined || request.method === 'GET' || request.method === 'HEAD') return session?.scope;
    const given = request.headers[CSRF_HEADER];
    if (typeof given === 'string' && timingSafeEqual(digest(given), digest(session.csrf))) return session.scope;
    throw new MillraceError('permission_denied', `The header ${CSRF_HEADER} is missing or not that of this login.`);
  }

  /** Scope of an `Authorization` header. `unauthenticated` for a token that is missing or unknown. */
  scopeOf(header: string | undefined): Scope {
    const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
    const given = digest(token ?? '');
    let found: Scope | undefined;
    // All are compared, so that the time says nothing. Of equal tokens the largest scope counts.
    for (const { scope, digest } of this.#known) if (timingSafeEqual(digest, given)) found = scope;
    if (token !== undefined && found !== undefined) return found;
    const how = 'send "Authorization: Bearer TOKEN" with a token of credentials/ in the state folder';
    throw new MillraceError('unauthenticated', `The token is ${token === undefined ? 'missing' : 'not known'}: ${how}.`);
  }
}
