import { Authenticator, type CredentialSource, type FixedToken } from '../../src/access/authenticator.ts';
import type { Clock } from '../../src/clock/clock.ts';
import { CREDENTIAL_FILES } from '../infra/credentials.ts';
import type { SettingsOf } from '../runtime/settings/roles.ts';

type GatewayToken = 'gatewayMetricsToken' | 'gatewayReadToken' | 'gatewayWriteToken' | 'gatewayAdminToken';

/** What the tokens of files let clients of the gateway do, in an order in which the last one of two that are equal counts. */
const SCOPES_OF: Readonly<Record<GatewayToken, FixedToken['scopes']>> = {
  gatewayMetricsToken: ['metrics'],
  gatewayReadToken: ['read'],
  gatewayWriteToken: ['train', 'serve', 'read'],
  gatewayAdminToken: ['admin'],
};

/** Finds out who calls the gateway: holders of tokens of files, and of named credentials. */
export function clientAuthenticator(
  tokens: Pick<SettingsOf<'gateway'>, GatewayToken>,
  { credentials, clock }: { credentials?: CredentialSource; clock: Pick<Clock, 'now'> },
): Authenticator {
  const fixed = (Object.keys(SCOPES_OF) as GatewayToken[]).map((name) => {
    return { name: CREDENTIAL_FILES[name], token: tokens[name], scopes: SCOPES_OF[name] };
  });
  return new Authenticator({ fixed, credentials, now: () => clock.now() });
}
