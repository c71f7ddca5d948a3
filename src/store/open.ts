import { MillraceError } from '../errors.ts';
import { openEmbeddedStore } from './embedded.ts';
import { openServerStore } from './server.ts';
import type { ServerStoreOptions } from './server.ts';
import type { ClickHouseStore } from './clickhouse-store.ts';

/** Options of {@link openStore}; one of `url` and `path` is needed. */
export interface OpenStoreOptions extends Partial<ServerStoreOptions> {
  /** Folder of the embedded engine. */
  path?: string | undefined;
}

/** Opens the server when a URL is given, else the embedded engine, whose store is an EmbeddedStore. */
export async function openStore(options: OpenStoreOptions): Promise<ClickHouseStore> {
  const { url, path, ...server } = options;
  if (url !== undefined && url !== '') return openServerStore({ ...server, url });
  if (path === undefined || path === '') {
    throw new MillraceError('invalid_argument', 'the store needs a folder (path) or a ClickHouse server (url)', {
      field: 'path',
    });
  }
  return openEmbeddedStore({ path });
}
