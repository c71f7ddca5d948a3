import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { MillraceError } from '../../../src/errors.ts';
import { equal, type BrowserSession } from '../callers.ts';

/** How long a login URL can be used, in milliseconds. */
export const TICKET_MS = 10 * 60_000;
/** How long a login lasts, in milliseconds. */
const SESSION_MS = 12 * 3_600_000;
/** Tickets that are kept at most; the oldest is dropped for a new one. */
const MOST_TICKETS = 100;

/** Somebody who logged in to the page. */
export interface Session extends BrowserSession {
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

/**
 * Logins of browsers. A ticket (of the login URL) is used once, at the gateway that made it. A session is a signed cookie, so that it holds
 * at a gateway that was started again, and at every other one with the same credentials. It ends with the credential that it was opened with.
 */
export class Sessions {
  readonly #key: string;
  readonly #now: () => number;
  readonly #secure: boolean;
  readonly #tickets = new Map<string, { handle: string; expiresAt: number }>();
  /** Browsers share the cookies of one host over all of its ports: each cluster has a name of its own. */
  readonly #cookie: string;

  /**
   * @param secret - that cookies are signed with; a new one ends every login
   * @param secure - the page is served over HTTPS
   * @param now - Unix milliseconds
   */
  constructor(secret: string, secure: boolean, now: () => number = Date.now) {
    this.#key = secret;
    this.#now = now;
    this.#secure = secure;
    this.#cookie = `millrace-${this.#sign('cookie').slice(0, 8)}`;
  }

  /** A ticket that opens one session of the caller with this handle. */
  issueTicket(handle: string): string {
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size >= MOST_TICKETS && oldest !== undefined) this.#tickets.delete(oldest);
    const ticket = randomBytes(24).toString('base64url');
    this.#tickets.set(ticket, { handle, expiresAt: this.#now() + TICKET_MS });
    return ticket;
  }

  /** The handle of a ticket, which cannot be used again. `unauthenticated` when it was used, is too old, or never was one. */
  redeem(ticket: string): string {
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    if (found !== undefined && found.expiresAt > this.#now()) return found.handle;
    throw new MillraceError(
      'unauthenticated',
      'This login link was used already or is too old; `millrace open` prints a new one.',
    );
  }

  /** Opens a session; `cookie` is the value of a Set-Cookie header. */
  open(handle: string): { session: Session; cookie: string } {
    const expiresAt = this.#now() + SESSION_MS;
    const payload = `${Buffer.from(handle).toString('base64url')}.${expiresAt}.${randomBytes(12).toString('base64url')}`;
    const value = `${payload}.${this.#sign(payload)}`;
    return { session: this.#sessionOf(payload, handle, expiresAt), cookie: this.#setCookie(value, SESSION_MS / 1000) };
  }

  /** A Set-Cookie header that ends the session of a browser. */
  closingCookie(): string {
    return this.#setCookie('', 0);
  }

  /** The session of a request; undefined without one that holds. */
  find({ cookie = '' }: Pick<IncomingHttpHeaders, 'cookie'>): Session | undefined {
    const prefix = `${this.#cookie}=`;
    const value = cookie.split(/; */).find((each) => each.startsWith(prefix));
    const [, payload, encoded, expiresAt, signature] =
      /^(([\w-]+)\.(\d+)\.[\w-]+)\.([\w-]+)$/.exec(value?.slice(prefix.length) ?? '') ?? [];
    if (payload === undefined || !equal(signature!, this.#sign(payload))) return undefined;
    if (Number(expiresAt) <= this.#now()) return undefined;
    return this.#sessionOf(payload, Buffer.from(encoded!, 'base64url').toString(), Number(expiresAt));
  }

  #sessionOf(payload: string, handle: string, expiresAt: number): Session {
    return { handle, expiresAt, csrf: this.#sign(`csrf ${payload}`) };
  }

  #setCookie(value: string, seconds: number): string {
    const secure = this.#secure ? '; Secure' : '';
    return `${this.#cookie}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(`millrace workbench ${text}`).digest('base64url');
  }
}
