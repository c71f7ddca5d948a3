import { systemClock } from '../../src/clock/system.ts';
import { clientAuthenticator } from './clients.ts';

/** Lets in the tokens monitor (scope metrics), reader (read), writer (train, serve, read) and administrator (admin). */
export const TEST_CLIENTS = clientAuthenticator(
  {
    ...{ gatewayMetricsToken: 'monitor', gatewayReadToken: 'reader' },
    ...{ gatewayWriteToken: 'writer', gatewayAdminToken: 'administrator' },
  },
  { clock: systemClock },
);
