import { createHash, timingSafeEqual } from 'node:crypto';
import { MillraceError } from '../../src/errors.ts';

/** What a credential lets its holder do; each includes those before it. Numbers of the process are for monitoring, which needs no more. */
export const SCOPES = ['metrics', 'read', 'write', 'admin'] as const;

/** One of {@link SCOPES}. */
export type Scope = (typeof SCOPES)[number];

/** Bearer tokens by the scope that they give. At least one. */
export type Tokens = Partial<Readonly<Record<Scope, string>>>;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Finds the scope of a request's `Authorization` header. */
export class Authenticator {
  readonly #known: readonly { scope: Scope; digest: Buffer }[];

  /** Throws `failed_precondition` without a token: nobody gets in without one, and so nobody would. */
  constructor(tokens: Tokens) {
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
  authorize(header: string | undefined, needed: Scope): Scope {
    const scope = this.#scopeOf(header);
    if (SCOPES.indexOf(scope) < SCOPES.indexOf(needed))
      throw new MillraceError('permission_denied', `This takes a token of scope ${needed}; yours has scope ${scope}.`);
    return scope;
  }

  #scopeOf(header: string | undefined): Scope {
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
