import { z } from 'zod';
import { checkedWhole } from '../../../src/config/problems.ts';
import { MillraceError } from '../../../src/errors.ts';
import type { GatewayRequest, Reply, Route } from '../routes.ts';
import { Authenticator, type Tokens } from '../scopes.ts';
import { TICKET_MS, type Session, type Sessions } from './sessions.ts';

/** A ticket of a login URL, or a token of the gateway. */
const loginBody = z.union([
  z.strictObject({ ticket: z.string().min(1).max(200) }),
  z.strictObject({ token: z.string().min(1).max(1000) }),
]);

/** What the page knows of its login. */
const viewOf = ({ scope, expiresAt, csrf }: Session): object => ({ scope, expiresAt, csrf });

/**
 * The routes of logins. `POST /login/ticket` gives whoever has a token of scope `write` what a login URL is made of; `/session` is what a
 * browser opens with it (POST), asks about (GET) and ends (DELETE).
 */
export function loginRoutes(sessions: Sessions, tokens: Tokens): Route[] {
  const authenticator = new Authenticator(tokens);
  return [
    {
      method: 'POST',
      path: '/login/ticket',
      scope: 'write',
      handle: ({ scope }) => ({ json: { ticket: sessions.issueTicket(scope!), expiresInSeconds: TICKET_MS / 1000 } }),
    },
    {
      method: 'POST',
      path: '/session',
      scope: undefined,
      bodyBytes: 4096,
      handle({ body }) {
        const given = checkedWhole(loginBody, parsed(body), 'body');
        const scope = 'ticket' in given ? sessions.redeem(given.ticket) : authenticator.scopeOf(`Bearer ${given.token}`);
        if (scope === 'metrics')
          throw new MillraceError(
            'permission_denied',
            'A token of scope metrics does not open the workbench; use one of scope read.',
          );
        const { session, cookie } = sessions.open(scope);
        return { json: viewOf(session), headers: { 'Set-Cookie': cookie } };
      },
    },
    { method: 'GET', path: '/session', scope: undefined, handle: (request) => current(sessions, request) },
    {
      method: 'DELETE',
      path: '/session',
      scope: undefined,
      handle: () => ({ json: {}, headers: { 'Set-Cookie': sessions.closingCookie() } }),
    },
  ];
}

function current(sessions: Sessions, { headers }: GatewayRequest): Reply {
  const session = sessions.find(headers);
  return { json: session === undefined ? null : viewOf(session) };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new MillraceError('invalid_argument', 'The body is no JSON.', { cause, field: 'body' });
  }
}
