import { z } from 'zod';
import { requireScope, type Authenticator, type Caller } from '../../../src/access/authenticator.ts';
import { checkedWhole } from '../../../src/config/problems.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { GatewayRequest, Reply, Route } from '../routes.ts';
import { TICKET_MS, type Session, type Sessions } from './sessions.ts';

/** A ticket of a login URL, or a token of the gateway. */
const loginBody = z.union([
  z.strictObject({ ticket: z.string().min(1).max(200) }),
  z.strictObject({ token: z.string().min(1).max(1000) }),
]);

/** What the page knows of its login. */
const viewOf = ({ name, scopes }: Caller, { expiresAt, csrf }: Session): object => ({ name, scopes, expiresAt, csrf });

/**
 * The routes of logins. `POST /login/ticket` gives whoever has a credential of scope `train` what a login URL is made of; `/session` is what a
 * browser opens with it (POST), asks about (GET) and ends (DELETE).
 */
export function loginRoutes(sessions: Sessions, authenticator: Authenticator): Route[] {
  return [
    {
      method: 'POST',
      path: '/login/ticket',
      handle: ({ caller }) => ({
        json: { ticket: sessions.issueTicket(authenticator.handleOf(caller!)), expiresInSeconds: TICKET_MS / 1000 },
      }),
    },
    {
      method: 'POST',
      path: '/session',
      bodyBytes: 4096,
      handle({ body }) {
        const given = checkedWhole(loginBody, parsed(body), 'body');
        const caller =
          'ticket' in given
            ? authenticator.resume(sessions.redeem(given.ticket))
            : authenticator.authenticate({ authorization: `Bearer ${given.token}` });
        requireScope(caller, 'read');
        const { session, cookie } = sessions.open(authenticator.handleOf(caller));
        return { json: viewOf(caller, session), headers: { 'Set-Cookie': cookie } };
      },
    },
    { method: 'GET', path: '/session', handle: (request) => current(sessions, authenticator, request) },
    {
      method: 'DELETE',
      path: '/session',
      handle: () => ({ json: {}, headers: { 'Set-Cookie': sessions.closingCookie() } }),
    },
  ];
}

function current(sessions: Sessions, authenticator: Authenticator, { headers }: GatewayRequest): Reply {
  const session = sessions.find(headers);
  try {
    return { json: session === undefined ? null : viewOf(authenticator.resume(session.handle), session) };
  } catch (thrown) {
    if (MillraceError.from(thrown).code === 'unauthenticated') return { json: null };
    throw thrown;
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new MillraceError('invalid_argument', 'The body is no JSON.', { cause, field: 'body' });
  }
}
