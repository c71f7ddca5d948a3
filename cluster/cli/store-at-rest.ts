import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ClickHouseStore } from '../../src/store/clickhouse-store.ts';
import type { ServerStoreOptions } from '../../src/store/server.ts';
import { readAdminFile } from '../up/admin-file.ts';
import { keepFilesPrivate } from '../infra/state-folder.ts';
import { serverOf } from '../runtime/settings/store.ts';
import type { CliContext } from './context.ts';

/**
 * No address is given, no cluster runs in the state folder, and there is a store all the same: on the server of the settings
 * (CLICKHOUSE_URL), or the embedded one that the last cluster left in the folder.
 */
export function storeIsAtRest(context: CliContext): boolean {
  const { stateDir, env, address } = context;
  if (address !== undefined || env['MILLRACE_ADDRESS'] || readAdminFile(stateDir) !== undefined) return false;
  return existsSync(embeddedPath(context)) || namesServer(env);
}

/** Gives that store to `use`, brought to the newest schema: the cluster that left it may have been of an older build. */
export async function withStoreAtRest<T>(context: CliContext, use: (store: ClickHouseStore) => Promise<T>): Promise<T> {
  const server = namesServer(context.env) ? await serverOfEnvironment(context) : undefined;
  const path = embeddedPath(context);
  context.note(`no cluster is running; using the store ${server ? `on ${new URL(server.url).host}` : `in ${path}`}`);
  const { openStore } = await import('../../src/store/open.ts');
  const store = await filesPrivate(async () => {
    const opened = await openStore({ ...server, path });
    await opened.migrate();
    return opened;
  });
  try {
    return await use(store);
  } finally {
    await filesPrivate(() => store.close());
  }
}

/** What the engine writes meanwhile is for this account only; what the command writes for its user, after it, is as that user has it. */
async function filesPrivate<T>(work: () => Promise<T>): Promise<T> {
  const before = keepFilesPrivate();
  try {
    return await work();
  } finally {
    process.umask(before);
  }
}

const embeddedPath = ({ stateDir }: CliContext): string => join(stateDir, 'clickhouse');

/** Whether CLICKHOUSE_URL is set, by either of its names. */
const namesServer = (env: NodeJS.ProcessEnv): boolean =>
  Object.entries(env).some(
    ([name, value]) => /^(?:CLICKHOUSE_URL|MILLRACE_CLUSTER__CLICKHOUSE__URL)$/i.test(name) && Boolean(value),
  );

async function serverOfEnvironment({ env, cwd }: CliContext): Promise<ServerStoreOptions | undefined> {
  const { loadClusterConfig } = await import('../../src/config/cluster.ts');
  return serverOf(loadClusterConfig({ env, cwd }).config.clickhouse);
}
