import type { RoleName } from '../../src/protocol/roles.ts';
import type { Role } from '../runtime/context.ts';
import { findNodes } from '../runtime/nodes.ts';
import type { RoleSettings } from '../runtime/settings/roles.ts';
import type { NodeStart, RoleStart } from './role-start.ts';

/** Each loads what it needs: no role's modules are loaded for another. */
const STARTERS: { readonly [R in RoleName]: (start: RoleStart<R>) => Promise<Role> } = {
  coordinator: async (start) => (await import('./start-coordinator.ts')).startCoordinatorRole(start),
  store: async (start) => (await import('./start-store.ts')).startStoreRole(start),
  async 'parameter-server'({ context, settings, services }) {
    const { startParameterServer } = await import('../parameter-server/index.ts');
    const { serveWork } = await import('../../src/rpc/work.ts');
    const server = await startParameterServer(context);
    services.push({ ...serveWork((link) => server.connect(link)), token: settings.workToken, peers: ['learner'] });
    return server;
  },
  async learner({ context, settings, compute }) {
    const { startLearner } = await import('../learner/index.ts');
    const { connectWork } = await import('../../src/rpc/work.ts');
    return startLearner(context, {
      compute: compute!,
      findServers: async () => (await findNodes(context.bus, 'parameter-server')).map(({ address }) => address),
      connect: (address) => connectWork(address, { token: settings.workToken, tls: context.tls }),
    });
  },
  async rollout({ context, history: { afterCrash } }) {
    const { startRollout } = await import('../rollout/index.ts');
    return startRollout(context, { afterCrash });
  },
  async reward({ context, history: { afterCrash } }) {
    const { startReward } = await import('../reward/index.ts');
    return startReward(context, { afterCrash });
  },
  async gateway({ context, settings, listening }) {
    const { startGatewayRole } = await import('../gateway/index.ts');
    return startGatewayRole(context, settings, listening);
  },
};

/** Starts the role of a section of a node's settings. */
export function startRole(settings: RoleSettings, shared: NodeStart): Promise<Role> {
  const start = STARTERS[settings.role] as (start: NodeStart & { settings: RoleSettings }) => Promise<Role>;
  return start({ ...shared, settings });
}
