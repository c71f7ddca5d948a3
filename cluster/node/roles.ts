import type { ComputeInfo } from '../../src/compute/backend.ts';
import type { ServiceRegistration } from '../../src/rpc/handlers.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import type { NodeOptions } from './options.ts';
import { findNode, type NodeList } from '../runtime/nodes.ts';

/** What a role starts with, and where it leaves what its node must know. */
export interface RoleStart {
  context: NodeContext;
  options: NodeOptions;
  /** There for coordinators. */
  nodes: NodeList | undefined;
  /** There for rollouts and learners. */
  compute: ComputeInfo | undefined;
  /** gRPC services that the node is to serve. */
  services: ServiceRegistration[];
  /** Called when the node stops, before the roles. */
  closers: (() => void)[];
}

/** Starts one role of a node, and loads what it needs: no role's modules are loaded for another. */
export async function startRole(
  role: RoleName,
  { context, options, nodes, compute, services, closers }: RoleStart,
): Promise<Role> {
  const afterCrash = options.afterCrash ?? false;
  switch (role) {
    case 'coordinator': {
      const { CoordinatorBackend } = await import('../coordinator/admin-backend.ts');
      const { remoteStore } = await import('../admin/remote-store.ts');
      const { adminService } = await import('../admin/service.ts');
      const { startCoordinator } = await import('../coordinator/index.ts');
      const store = remoteStore(nodes!, options.token);
      const backend = new CoordinatorBackend(context, nodes!, store);
      closers.push(() => backend.close());
      services.push(adminService(backend));
      const { countStored } = await import('../coordinator/unstored-groups.ts');
      return startCoordinator(context, { countStored: countStored(store.query) });
    }
    case 'parameter-server': {
      const { startParameterServer } = await import('../parameter-server/index.ts');
      const { serveWork } = await import('../../src/rpc/work.ts');
      const server = await startParameterServer(context);
      services.push(serveWork((link) => server.connect(link)));
      return server;
    }
    case 'learner': {
      const { startLearner } = await import('../learner/index.ts');
      const { connectWork } = await import('../../src/rpc/work.ts');
      return startLearner(context, {
        compute: compute!,
        findServer: async () => (await findNode(context.bus, 'parameter-server'))?.address,
        connect: (address) => connectWork(address, options.token),
      });
    }
    case 'rollout': {
      const { startRollout } = await import('../rollout/index.ts');
      return startRollout(context, { afterCrash });
    }
    case 'reward': {
      const { startReward } = await import('../reward/index.ts');
      return startReward(context, { afterCrash });
    }
    case 'store': {
      const { openStore } = await import('../../src/store/open.ts');
      const { startStore } = await import('../store/index.ts');
      const { storeService } = await import('../store/service.ts');
      const { watchMissingRows } = await import('../store/missing-rows.ts');
      const { StoreTransfer } = await import('../admin/export.ts');
      const { keepClickHousePort } = await import('../store/clickhouse-port.ts');
      const warn = (message: string): void => context.log.warn(message);
      const store = await openStore({ ...options.clickhouse, path: `${options.stateDir}/clickhouse`, warn });
      const started = await startStore(context, store);
      const port = await keepClickHousePort(context, store, options);
      const transfer = new StoreTransfer(store, `${options.stateDir}/exports`);
      closers.push(() => transfer.close());
      const changed = await store.retain(options.retention ?? {});
      if (changed.length > 0) context.log.info({ changed }, 'retention changed');
      const stopLooking = await watchMissingRows(context, { detached: () => store.detached(), onTrouble: options.onTrouble });
      closers.push(stopLooking);
      services.push(storeService((sql, maxRows, signal) => started.query(sql, maxRows, signal), transfer, store));
      return {
        ...started,
        get labels(): Record<string, string> {
          return port.open ? { clickhouse: port.open.url } : {};
        },
        get clickhousePort() {
          return port.open?.port;
        },
        async stop(timeoutMs) {
          // First: its queries would keep the engine.
          await port.close();
          await started.stop(timeoutMs);
        },
      };
    }
  }
}
