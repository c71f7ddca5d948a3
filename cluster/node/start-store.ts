import type { Role } from '../runtime/context.ts';
import type { RoleStart } from './role-start.ts';

/** Starts the store with its writer, its gRPC service and, where one is set, its ClickHouse interface. */
export async function startStoreRole({
  context,
  settings,
  listening,
  services,
  closers,
  onTrouble,
}: RoleStart<'store'>): Promise<Role> {
  const { openStore } = await import('../../src/store/open.ts');
  const { startStore } = await import('../store/index.ts');
  const { storeService } = await import('../store/service.ts');
  const { watchMissingRows } = await import('../store/missing-rows.ts');
  const { StoreTransfer } = await import('../admin/export.ts');
  const { keepClickHousePort } = await import('../store/clickhouse-port.ts');
  const { stateDir, log } = context;
  const { storeToken: token, clickhouse, clickhouseInterface, retention = {} } = settings;
  const store = await openStore({ ...clickhouse, path: `${stateDir}/clickhouse`, warn: (message) => log.warn(message) });
  const started = await startStore(context, store);
  const port = await keepClickHousePort(context, store, clickhouseInterface && { ...clickhouseInterface, listening });
  const transfer = new StoreTransfer(store, `${stateDir}/exports`);
  closers.push(() => transfer.close());
  const changed = await store.retain(retention);
  if (changed.length > 0) log.info({ changed }, 'retention changed');
  closers.push(await watchMissingRows(context, { detached: () => store.detached(), onTrouble }));
  const service = storeService((sql, maxRows, signal) => started.query(sql, maxRows, signal), transfer, {
    clock: context.clock,
    care: store,
  });
  services.push({ ...service, token, peers: ['coordinator'] });
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
