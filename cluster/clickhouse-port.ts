import type { ClickHousePort } from '../src/store/http/server.ts';
import type { Store } from '../src/store/store.ts';

/** Settings of the port. */
export interface ClickHousePortWish {
  clickhousePort?: number | undefined;
  clickhouseWriteToken?: string | undefined;
  /** The cluster's token: the port asks readers for it, as the admin API does. */
  token?: string | undefined;
}

/** Serves the store's engine on ClickHouse's HTTP interface; undefined when none is wanted, or the engine is a server itself. */
export async function openClickHousePort(store: Store, wish: ClickHousePortWish): Promise<ClickHousePort | undefined> {
  if (wish.clickhousePort === undefined) return undefined;
  const { EmbeddedStore } = await import('../src/store/embedded.ts');
  if (!(store instanceof EmbeddedStore)) return undefined;
  const { serveClickHouse } = await import('../src/store/http/server.ts');
  return serveClickHouse({
    engine: store.engine,
    port: wish.clickhousePort,
    readToken: wish.token,
    writeToken: wish.clickhouseWriteToken,
  });
}
