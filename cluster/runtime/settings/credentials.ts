import type { RoleName } from '../../../src/protocol/roles.ts';
import type { Credentials } from '../../infra/credentials.ts';
import type { SettingsOf } from './roles.ts';

/** Fields of a role's section that are credentials of the cluster, whatever else is set. */
type Given<R extends RoleName> = Omit<
  SettingsOf<R>,
  'role' | 'join' | 'backend' | 'gpu' | 'clickhouse' | 'clickhouseInterface' | 'retention' | 'port' | 'providers'
>;

const CREDENTIALS: { readonly [R in RoleName]: (all: Credentials) => Given<R> } = {
  coordinator: ({ token, storeToken, gatewayWorkToken }) => ({ token, storeToken, gatewayWorkToken }),
  'parameter-server': ({ workToken }) => ({ workToken }),
  learner: ({ workToken }) => ({ workToken }),
  rollout: () => ({}),
  reward: () => ({}),
  store: ({ storeToken }) => ({ storeToken }),
  gateway: ({ gatewayMetricsToken, gatewayReadToken, gatewayWriteToken, gatewayAdminToken, gatewayWorkToken }) => {
    return { gatewayMetricsToken, gatewayReadToken, gatewayWriteToken, gatewayAdminToken, gatewayWorkToken };
  },
};

/** Of a cluster's credentials, those that a role needs. */
export function credentialsOf<R extends RoleName>(role: R, all: Credentials): Given<R> {
  return CREDENTIALS[role](all);
}
