import { MillraceError } from '../errors.ts';
import { openEmbeddedStore } from './embedded.ts';
import { openServerStore } from './server.ts';
import type { ClickHouseStore } from './clickhouse-store.ts';

/** Options of {@link openStore}; one of `url` and `path` is needed. */
export interface OpenStoreOptions {
  /** A ClickHouse server; wins over `path`. */
  url?: string | undefined;
  username?: string | undefined;
  password?: string | undefined;
  database?: string | undefined;
  /** Folder of the embedded engine. */
  path?: string | undefined;
}

/** Opens the server when a URL is given, else the embedded engine. */
export async function openStore(options: OpenStoreOptions): Promise<ClickHouseStore> {
  const { url, username, password, database, path } = options;
  if (url !== undefined && url !== '') {
    return openServerStore({
      url,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(database !== undefined && { database }),
    });
  }
  if (path === undefined || path === '') {
    throw new MillraceError('invalid_argument', 'the store needs a folder (path) or a ClickHouse server (url)', {
      field: 'path',
    });
  }
  return openEmbeddedStore({ path });
}
