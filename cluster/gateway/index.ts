import { MillraceError } from '../../src/errors.ts';
import type { Listening } from '../../src/http/listening.ts';
import { CredentialDirectory } from '../access/credential-directory.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { findNodes } from '../runtime/nodes.ts';
import type { SettingsOf } from '../runtime/settings/roles.ts';
import { clientAuthenticator } from './clients.ts';
import { openCalls } from './calls/index.ts';
import { adminMethods } from './json-rpc/admin.ts';
import { coordinatorClient } from './json-rpc/coordinator.ts';
import { queryMethods } from './json-rpc/query.ts';
import { jsonRpcRoute } from './json-rpc/route.ts';
import { trainingMethods } from './json-rpc/training.ts';
import { standardRoutes } from './routes.ts';
import { startGateway } from './server.ts';
import { isSessionKey } from './sessions/keys.ts';
import { sessionRoutes } from './sessions/routes.ts';
import { Sessions } from './sessions/sessions.ts';
import { clusterFeeds } from './workbench/feeds.ts';
import { liveUpgrade } from './workbench/live.ts';
import { loginRoutes } from './workbench/login.ts';
import { pageRoutes } from './workbench/page.ts';
import { Sessions as BrowserSessions } from './workbench/sessions.ts';

/** Of a node, what the gateway works with. */
type GatewayContext = Pick<
  NodeContext,
  'artifacts' | 'bus' | 'callBodies' | 'clock' | 'id' | 'jobs' | 'log' | 'metrics' | 'random' | 'tls'
>;

/**
 * Starts the gateway of a node: HTTP, at 127.0.0.1 unless `listening` says otherwise. It serves the workbench, and the node's metrics to those with a credential for them. Rejects with
 * `failed_precondition` when its port is taken.
 */
export async function startGatewayRole(
  context: GatewayContext,
  settings: SettingsOf<'gateway'>,
  listening?: Listening,
): Promise<Role> {
  const { bus, clock, log, metrics, tls } = context;
  const coordinators = async (): Promise<string[]> => (await findNodes(bus, 'coordinator')).map(({ address }) => address);
  const coordinator = coordinatorClient(coordinators, { token: settings.gatewayWorkToken, tls });
  const credentials = new CredentialDirectory({ bus, clock });
  const authenticator = clientAuthenticator(settings, { credentials, clock });
  const browsers = new BrowserSessions(settings.gatewayWorkToken, tls !== undefined);
  const sessions = new Sessions(context);
  const calls = openCalls(context, settings.providers ?? {});
  const methods = { ...trainingMethods(coordinator), ...adminMethods(coordinator), ...queryMethods(coordinator) };
  const gateway = await startGateway({
    routes: [
      jsonRpcRoute(methods, log),
      ...loginRoutes(browsers, authenticator),
      ...pageRoutes(),
      ...sessionRoutes({ ...context, sessions }),
      ...calls.routes,
      ...standardRoutes({
        metrics,
        async checkReady() {
          if ((await coordinators()).length > 0) return;
          throw new MillraceError('unavailable', 'No coordinator is there; it is starting, or has just ended.');
        },
      }),
    ],
    authenticator,
    session: ({ headers }) => browsers.find(headers),
    agents: { isKey: isSessionKey, open: (key) => sessions.open(key) },
    upgrades: [liveUpgrade(clusterFeeds(coordinator))],
    log,
    port: settings.port ?? 0,
    listening,
    tls,
  });
  metrics.onScrape(() => {
    const { answered, running } = gateway.stats();
    for (const [status, count] of Object.entries(answered)) metrics.total('gateway_requests_total', { status }, count);
    metrics.set('gateway_active', {}, running);
  });
  log.info({ url: gateway.url }, 'gateway open');
  return {
    name: 'gateway',
    labels: { gateway: gateway.url },
    metricsUrl: `${gateway.url}/metrics`,
    async stop(timeoutMs) {
      await gateway.stop(timeoutMs);
      await calls.close();
      credentials.close();
      coordinator.close();
    },
  };
}
