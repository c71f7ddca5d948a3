import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { EmbeddedEngine } from '../embedded.ts';
import { serveClickHouse } from './server.ts';
import type { ClickHousePort, ClickHousePortOptions } from './server.ts';

/** The write token of {@link openTestPort}. */
export const TOKEN = 'a-token-for-tests';

type ClientOptions = NonNullable<Parameters<typeof createClient>[0]>;

/** An engine in a folder of its own, served on a free port. */
export interface TestPort extends ClickHousePort {
  engine: EmbeddedEngine;
  /** The official client, as reader. */
  client(options?: ClientOptions): ClickHouseClient;
  /** The official client, as writer. */
  writer(options?: ClientOptions): ClickHouseClient;
  /** Closes clients, port and engine, and removes the folder. */
  stop(): Promise<void>;
}

/** Opens a port for a test file; one for a process, as the engine allows no second. */
export async function openTestPort(options: Partial<ClickHousePortOptions> = {}): Promise<TestPort> {
  const path = mkdtempSync(join(tmpdir(), 'millrace-http-'));
  const engine = await EmbeddedEngine.open(path, 1024 * 1024 * 1024);
  const port = await serveClickHouse({ engine, writeToken: TOKEN, ...options });
  const clients: ClickHouseClient[] = [];
  const client = (given: ClientOptions): ClickHouseClient => {
    const made = createClient({ url: port.url, log: { level: ClickHouseLogLevel.OFF }, ...given });
    clients.push(made);
    return made;
  };
  return Object.assign(port, {
    engine,
    client: (given: ClientOptions = {}) => client(given),
    writer: (given: ClientOptions = {}) => client({ username: 'writer', password: TOKEN, ...given }),
    async stop() {
      await Promise.all(clients.map((each) => each.close()));
      await port.close();
      await engine.close();
      rmSync(path, { recursive: true, force: true });
    },
  });
}
