import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { MillraceError } from '../errors.ts';
import { clickHouseError } from './clickhouse-error.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import { readText } from './client-text.ts';
import { literal } from './engine.ts';
import type { Engine, InsertTarget, RunOptions } from './engine.ts';
import { isPacked } from './pack.ts';

/** Errors reach the caller; the client need not print them too. */
const SILENT = { level: ClickHouseLogLevel.OFF };

/** Options of {@link openServerStore}. */
export interface ServerStoreOptions {
  /** `http://host:8123` or `https://...`; may hold user, password and, as its path, the database. */
  url: string;
  username?: string;
  password?: string;
  /** Made when missing. Default `millrace`. */
  database?: string;
  /** Milliseconds one request may take. Default 60_000. */
  requestTimeoutMs?: number;
}

/** Opens a store on a ClickHouse server. Throws `invalid_argument` for a bad URL, `unavailable` when nothing answers. */
export async function openServerStore(options: ServerStoreOptions): Promise<ClickHouseStore> {
  const target = serverTarget(options);
  const engine = new ServerEngine(target, options.requestTimeoutMs ?? 60_000);
  try {
    await engine.createDatabase();
  } catch (error) {
    await engine.close();
    throw clickHouseError(error, 'migrate');
  }
  return new ClickHouseStore(engine);
}

interface ServerTarget {
  url: string;
  username: string;
  password: string;
  database: string;
}

/** Takes user, password and database out of the URL; options win over it. */
export function serverTarget(options: ServerStoreOptions): ServerTarget {
  let url: URL;
  try {
    url = new URL(options.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Error('wrong protocol');
  } catch (cause) {
    throw new MillraceError(
      'invalid_argument',
      `the ClickHouse URL must be http://host:port or https://..., not ${options.url}`,
      {
        cause,
        field: 'url',
      },
    );
  }
  const database = options.database ?? (decodeURIComponent(url.pathname.slice(1)) || 'millrace');
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(database)) {
    const rule = 'letters, digits and "_", at most 63';
    throw new MillraceError('invalid_argument', `database ${JSON.stringify(database)}: use ${rule}`, { field: 'database' });
  }
  return {
    url: url.origin,
    username: options.username ?? (decodeURIComponent(url.username) || 'default'),
    password: options.password ?? decodeURIComponent(url.password),
    database,
  };
}

class ServerEngine implements Engine {
  readonly #target: ServerTarget;
  readonly #client: ClickHouseClient;

  constructor(target: ServerTarget, requestTimeoutMs: number) {
    this.#target = target;
    this.#client = createClient({
      ...target,
      application: 'millrace',
      log: SILENT,
      request_timeout: requestTimeoutMs,
      max_open_connections: 8,
      // Below the servers' own limits (3 s managed, 10 s self-hosted), so that no request meets a closing socket.
      keep_alive: { enabled: true, idle_socket_ttl: 2500 },
    });
  }

  async createDatabase(): Promise<void> {
    const { database, ...rest } = this.#target;
    const admin = createClient({ ...rest, application: 'millrace', log: SILENT });
    try {
      await admin.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
    } finally {
      await admin.close();
    }
  }

  async run(sql: string, options: RunOptions = {}): Promise<string> {
    const { stream } = await this.#client.exec({
      query: sql,
      ...(options.parameters && { query_params: options.parameters }),
      ...(options.signal && { abort_signal: options.signal }),
    });
    return readText(stream);
  }

  async insert(into: InsertTarget, rows: Uint8Array): Promise<void> {
    const settings = Object.entries(into.settings).map(([name, value]) => `${name} = ${literal(value)}`);
    const { stream } = await this.#client.exec({
      query: `INSERT INTO ${into.table} (${into.columns.join(', ')}) SETTINGS ${settings.join(', ')} FORMAT JSONCompactEachRow`,
      values: Readable.from([rows], { objectMode: false }),
      ...(isPacked(rows) && { http_headers: { 'Content-Encoding': 'gzip' } }),
    });
    await readText(stream);
  }

  async download(sql: string, path: string, options: { maxSeconds: number; signal?: AbortSignal }): Promise<void> {
    const { maxSeconds, signal } = options;
    // Of its own: nothing may come for long while the server works, and a connection that is given up ends the query there.
    const client = createClient({
      ...this.#target,
      application: 'millrace',
      log: SILENT,
      request_timeout: maxSeconds * 1000,
      clickhouse_settings: { cancel_http_readonly_queries_on_client_close: 1 },
    });
    try {
      const { stream } = await client.exec({ query: sql, ...(signal && { abort_signal: signal }) });
      await pipeline(stream, createWriteStream(path), ...(signal ? [{ signal }] : []));
    } finally {
      await client.close();
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
