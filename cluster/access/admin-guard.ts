import { Authenticator, type CredentialSource } from '../../src/access/authenticator.ts';
import { guardOf, type CallGuard } from '../../src/access/guard.ts';
import { ADMIN_SCOPES, GATEWAY_METHODS } from '../../src/access/required.ts';
import type { Clock } from '../../src/clock/clock.ts';

/** Tokens of files that the admin API takes. */
export interface AdminTokens {
  /** For everything. */
  admin: string;
  /** For what the gateway calls, also for its own callers. */
  gateway: string;
}

/** Decides who may call the admin API: holders of these tokens, and of named credentials. */
export function adminGuard(
  { admin, gateway }: AdminTokens,
  { credentials, clock }: { credentials?: CredentialSource; clock: Pick<Clock, 'now'> },
): CallGuard {
  const authenticator = new Authenticator({
    fixed: [
      {
        ...{ name: 'gateway-work.token', token: gateway, scopes: ['train', 'serve', 'read'] },
        ...{ only: new Set<string>(GATEWAY_METHODS), speaksForOthers: true },
      },
      { name: 'admin.token', token: admin, scopes: ['admin'] },
    ],
    credentials,
    now: () => clock.now(),
  });
  return guardOf(authenticator, ADMIN_SCOPES);
}
