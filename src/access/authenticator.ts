import { createHash, timingSafeEqual } from 'node:crypto';
import { MillraceError } from '../errors.ts';
import { hashOf, invalidity, type Credential } from './credential.ts';
import { grants, type Scope } from './scopes.ts';

/** Who calls, as the credential says. */
export interface Caller {
  /** Of the credential; `<name>.token` for one from a file of the cluster. */
  readonly name: string;
  /** Owner of what the caller makes. Undefined for credentials of files, which name nobody. */
  readonly owner: string | undefined;
  readonly scopes: readonly Scope[];
}

/** A bearer token from a file or a setting. It has no end. */
export interface FixedToken {
  /** Name in logs and audit events, e.g. `admin.token`. */
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly Scope[];
  /** Methods or routes that it is for. Default: all that its scopes allow. */
  readonly only?: ReadonlySet<string> | undefined;
  /** Its holder may say for whom it calls: it has checked that caller's credential. Default false. */
  readonly speaksForOthers?: boolean;
}

/** What is known of the cluster's named credentials. */
export interface CredentialSource {
  /** The one with a token of this hash. `unavailable` when what is known is too old to be believed. */
  byHash(sha256: string): Credential | undefined;
  /** See {@link byHash}. */
  byName(name: string): Credential | undefined;
  /** Calls back after changes, and from time to time. Returns a function that ends it. */
  onChange(listener: () => void): () => void;
}

/** Options of {@link Authenticator}. */
export interface AuthenticatorOptions {
  fixed?: readonly FixedToken[];
  /** Default: there are no named ones. */
  credentials?: CredentialSource | undefined;
  /** Unix milliseconds. */
  now: () => number;
}

/** What a request shows. */
export interface Shown {
  /** The header `authorization`. */
  readonly authorization: string | undefined;
  /** Method or route that is called, for tokens that are for some only. */
  readonly target?: string | undefined;
  /** Name of the caller for whom this one calls; heard only from who may {@link FixedToken.speaksForOthers}. */
  readonly onBehalfOf?: string | undefined;
}

interface Known extends Caller {
  /** Hash of the token that was shown. Undefined for fixed tokens, and for those for whom somebody else calls. */
  readonly sha256?: string;
  readonly isStored: boolean;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const HOW =
  'send "Authorization: Bearer TOKEN" with a token of `millrace credential create`, or of credentials/ in the state folder';

/** Finds out who calls by bearer tokens: those of files, and the named ones of the cluster. One for every server of a node. */
export class Authenticator {
  readonly #fixed: readonly (FixedToken & { digest: Buffer })[];
  readonly #credentials: CredentialSource | undefined;
  readonly #now: () => number;

  /** `failed_precondition` when there is nothing to let anybody in with. */
  constructor({ fixed = [], credentials, now }: AuthenticatorOptions) {
    this.#fixed = fixed.filter(({ token }) => token !== '').map((each) => ({ ...each, digest: digest(each.token) }));
    this.#credentials = credentials;
    this.#now = now;
    if (this.#fixed.length === 0 && credentials === undefined)
      throw new MillraceError('failed_precondition', 'The server needs a token to let clients in with; none was given.', {
        field: 'tokens',
      });
  }

  /**
   * Who a request is from. `unauthenticated` for a token that is missing, unknown, expired or revoked, `permission_denied` for one that is not
   * for the target, `unavailable` while nobody can tell.
   */
  authenticate({ authorization, target, onBehalfOf }: Shown): Caller {
    const token = /^Bearer +(\S(?:.*\S)?)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated(`The token is missing: ${HOW}.`);
    const fixed = this.#fixedToken(token);
    if (fixed === undefined) return this.#stored(token);
    if (fixed.only !== undefined && !(target !== undefined && fixed.only.has(target)))
      throw new MillraceError('permission_denied', `The token ${fixed.name} is not for ${target ?? 'this'}.`);
    if (fixed.speaksForOthers !== true || onBehalfOf === undefined) return callerOf(fixed);
    return onBehalfOf.includes('.') ? callerOf({ name: onBehalfOf, scopes: fixed.scopes }) : this.#named(onBehalfOf);
  }

  /** What a caller can be found by later with {@link resume}; it is no secret. */
  handleOf(caller: Caller): string {
    const { name, sha256 } = caller as Known;
    return sha256 === undefined ? name : `${name}:${sha256}`;
  }

  /** The caller of a handle, if the credential that it was made with is still valid. `unauthenticated` when it is not. */
  resume(handle: string): Caller {
    const fixed = this.#fixed.find(({ name }) => name === handle);
    if (fixed !== undefined) return callerOf(fixed);
    const [name, sha256] = handle.split(':');
    const { owner, scopes } = this.#valid(this.#credentials?.byName(name!), sha256);
    return known({ name: name!, owner, scopes, isStored: true, ...(sha256 !== undefined && { sha256 }) });
  }

  /** {@link authenticate}, and `permission_denied` unless the scopes of the caller grant `needed`. */
  authorize(shown: Shown, needed: Scope): Caller {
    const caller = this.authenticate(shown);
    requireScope(caller, needed);
    return caller;
  }

  /** Calls `onInvalid` once when the caller's credential stops being valid, for what goes on after it was checked. Returns a function that ends this. */
  watch(caller: Caller, onInvalid: (error: MillraceError) => void): () => void {
    const known = caller as Known;
    if (!known.isStored || this.#credentials === undefined) return () => {};
    const stop = this.#credentials.onChange(() => {
      try {
        const credential = this.#credentials!.byName(known.name);
        this.#valid(credential, known.sha256);
      } catch (thrown) {
        stop();
        onInvalid(MillraceError.from(thrown));
      }
    });
    return stop;
  }

  /** All are compared, so that the time says nothing. Of equal tokens the last one counts. */
  #fixedToken(token: string): FixedToken | undefined {
    const given = digest(token);
    let found: FixedToken | undefined;
    for (const each of this.#fixed) if (timingSafeEqual(each.digest, given)) found = each;
    return found;
  }

  #stored(token: string): Caller {
    const sha256 = hashOf(token);
    const { name, owner, scopes } = this.#valid(this.#credentials?.byHash(sha256), sha256);
    return known({ name, owner, scopes, sha256, isStored: true });
  }

  #named(credential: string): Caller {
    const { name, owner, scopes } = this.#valid(this.#credentials?.byName(credential));
    return known({ name, owner, scopes, isStored: true });
  }

  #valid(credential: Credential | undefined, sha256?: string): Credential {
    if (credential === undefined) throw unauthenticated(`The token is not known: ${HOW}.`);
    const now = this.#now();
    const why = invalidity(credential, now);
    if (why !== undefined) throw unauthenticated(`The credential ${why}; ask an administrator for another.`);
    const token = sha256 === undefined ? credential.tokens[0]! : credential.tokens.find((each) => each.sha256 === sha256);
    if (token === undefined || (token.until !== undefined && token.until <= now))
      throw unauthenticated(`The token of ${credential.name} was replaced by another one (millrace credential rotate).`);
    return credential;
  }
}

/** `permission_denied` unless a caller's scopes grant what is needed. */
export function requireScope({ name, scopes }: Caller, needed: Scope): void {
  if (grants(scopes, needed)) return;
  const has = scopes.join(', ');
  throw new MillraceError('permission_denied', `This takes a credential of scope ${needed}; ${name} has ${has}.`);
}

const known = (caller: Known): Caller => caller;
const callerOf = ({ name, scopes }: Pick<FixedToken, 'name' | 'scopes'>): Caller =>
  known({ name, owner: undefined, scopes, isStored: false });

function unauthenticated(message: string): MillraceError {
  return new MillraceError('unauthenticated', message);
}
