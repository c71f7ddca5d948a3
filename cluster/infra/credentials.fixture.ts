import type { Credentials } from './credentials.ts';

/** One of each, all different, for tests. */
export const TEST_CREDENTIALS: Credentials = {
  token: 'the token of the admin API',
  workToken: 'the token of learners',
  storeToken: 'the token of the store',
  readToken: 'the token of readers',
  writeToken: 'the token of writers',
  gatewayMetricsToken: 'the token of monitoring',
  gatewayReadToken: 'the token of those who look',
  gatewayWriteToken: 'the token of applications',
  gatewayAdminToken: 'the token of administrators',
  gatewayWorkToken: 'the token of the gateway',
};
