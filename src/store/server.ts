import { createWriteStream, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import { MillraceError } from '../errors.ts';
import { clickHouseError } from './clickhouse-error.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import { readText, textRows } from './client-text.ts';
import { ddlFor } from './ddl.ts';
import type { DdlVariant } from './ddl.ts';
import { literal } from './engine.ts';
import type { Engine, InsertTarget, StatementOptions } from './engine.ts';
import { isPacked } from '../records/pack.ts';
import { unescapeParameter } from './sessions.ts';
import { readerOf } from './server-reader.ts';
import { SqlJudge } from './sql/judge.ts';

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
  /** PEM file of the authority that signed the server's certificate. Default: those that Node.js knows. */
  caFile?: string | undefined;
  /** PEM files of this client's certificate and its key, both or none: servers can tell users by them. */
  certFile?: string | undefined;
  keyFile?: string | undefined;
  /** Make tables on every host of this cluster. Default: on the one that answers. */
  cluster?: string | undefined;
  /** Make replicated tables. Default: with a cluster. */
  replicated?: boolean | undefined;
  /** Milliseconds one request may take. Default 60_000. */
  requestTimeoutMs?: number;
  /** Told once when there is no user of its own for the SQL of people, and why. */
  warn?: ((message: string) => void) | undefined;
}

/** Opens a store on a ClickHouse server. Throws `invalid_argument` for a bad URL, `unavailable` when nothing answers. */
export async function openServerStore(options: ServerStoreOptions): Promise<ClickHouseStore> {
  const { cluster, replicated } = options;
  const target = { ...serverTarget(options), ...tlsOf(options) };
  const engine = new ServerEngine(target, { cluster, replicated }, options.requestTimeoutMs ?? 60_000);
  try {
    await engine.createDatabase();
    await engine.createReader(options.warn ?? (() => {}));
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

type Tls = { tls?: { ca_cert: Buffer } | { ca_cert: Buffer; cert: Buffer; key: Buffer } };

/** What the client needs for TLS. Throws `invalid_argument` for files that cannot be read or do not belong together. */
function tlsOf(options: ServerStoreOptions): Tls {
  const { caFile, certFile, keyFile } = options;
  if (caFile === undefined && certFile === undefined && keyFile === undefined) return {};
  if ((certFile === undefined) !== (keyFile === undefined) || caFile === undefined) {
    const rule = 'a client certificate needs caFile, certFile and keyFile; a server of your own authority needs caFile';
    throw new MillraceError('invalid_argument', `ClickHouse over TLS: ${rule}`, { field: 'clickhouse.caFile' });
  }
  const read = (path: string, field: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (cause) {
      const why = (cause as Error).message;
      throw new MillraceError('invalid_argument', `${field}: cannot be read (${why})`, { cause, field: `clickhouse.${field}` });
    }
  };
  const ca_cert = read(caFile, 'caFile');
  if (certFile === undefined || keyFile === undefined) return { tls: { ca_cert } };
  return { tls: { ca_cert, cert: read(certFile, 'certFile'), key: read(keyFile, 'keyFile') } };
}

/** Pauses before a request is sent again whose connection broke, in milliseconds. */
const RETRY_AFTER_MS = [50, 250];

class ServerEngine implements Engine {
  readonly #target: ServerTarget & Tls;
  readonly #variant: DdlVariant;
  readonly #requestTimeoutMs: number;
  readonly #client: ClickHouseClient;
  /** Who runs the SQL of people. */
  #reader: { target: ServerTarget & Tls; client: ClickHouseClient } | undefined;
  readonly judge: SqlJudge;

  constructor(target: ServerTarget & Tls, variant: DdlVariant, requestTimeoutMs: number) {
    this.#target = target;
    this.#variant = variant;
    this.judge = new SqlJudge({
      ask: async (sql) => textRows(await this.run(sql, { reading: true })),
      explain: (sql, parameters) => {
        const values = Object.entries(parameters).map(([name, text]) => [name, unescapeParameter(text)] as const);
        return this.run(`${sql}\nFORMAT TabSeparatedRaw`, { reading: true, guest: true, parameters: Object.fromEntries(values) });
      },
      database: target.database,
    });
    this.#client = this.#connect(target, requestTimeoutMs);
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  #connect(target: ServerTarget & Tls, requestTimeoutMs: number): ClickHouseClient {
    return createClient({
      ...target,
      application: 'millrace',
      log: SILENT,
      request_timeout: requestTimeoutMs,
      max_open_connections: 8,
      clickhouse_settings: {
        // An error is told by the status then, not somewhere in a body.
        wait_end_of_query: 1,
        // The slowest host of a cluster gets less time than the request.
        ...(this.#variant.cluster !== undefined && { distributed_ddl_task_timeout: String(Math.ceil(requestTimeoutMs / 1250)) }),
      },
      // Below the servers' own limits (3 s managed, 10 s self-hosted), so that no request meets a closing socket.
      keep_alive: { enabled: true, idle_socket_ttl: 2500 },
    });
  }

  async createDatabase(): Promise<void> {
    const { database, ...rest } = this.#target;
    const admin = createClient({ ...rest, application: 'millrace', log: SILENT });
    try {
      await again(() => admin.command({ query: ddlFor(`CREATE DATABASE IF NOT EXISTS ${database}`, this.#variant) }));
    } finally {
      await admin.close();
    }
  }

  get guestsOnlyRead(): boolean {
    return this.#reader !== undefined;
  }

  /** Makes the user for the SQL of people, or says why there is none: they run as the store's own user then, told to be read-only. */
  async createReader(warn: (message: string) => void): Promise<void> {
    const reader = readerOf(this.#target);
    try {
      // As they are: they say themselves on which hosts.
      for (const statement of reader.statements(this.#variant.cluster)) await this.run(statement, { reading: true });
    } catch (error) {
      const { message } = clickHouseError(error, 'migrate');
      warn(
        `SQL of people runs as ClickHouse user ${this.#target.username}, for ${reader.username} cannot be made (${message}); grant it ACCESS MANAGEMENT, or run the statements of docs/store.md yourself`,
      );
      return;
    }
    const target = { ...this.#target, username: reader.username, password: reader.password };
    this.#reader = { target, client: this.#connect(target, this.#requestTimeoutMs) };
  }

  run(sql: string, options: StatementOptions = {}): Promise<string> {
    const client = (options.guest ? this.#reader?.client : undefined) ?? this.#client;
    const query = options.reading ? sql : ddlFor(sql, this.#variant);
    return again(async () => {
      const { stream } = await client.exec({
        query,
        ...(options.parameters && { query_params: options.parameters }),
        ...(options.signal && { abort_signal: options.signal }),
      });
      return readText(stream);
    }, options.signal);
  }

  insert(into: InsertTarget, rows: Uint8Array): Promise<void> {
    const settings = Object.entries(into.settings).map(([name, value]) => `${name} = ${literal(value)}`);
    return again(async () => {
      const { stream } = await this.#client.exec({
        query: `INSERT INTO ${into.table} (${into.columns.join(', ')}) SETTINGS ${settings.join(', ')} FORMAT JSONCompactEachRow`,
        values: Readable.from([rows], { objectMode: false }),
        ...(isPacked(rows) && { http_headers: { 'Content-Encoding': 'gzip' } }),
      });
      await readText(stream);
    });
  }

  async download(sql: string, path: string, options: { maxSeconds: number; signal?: AbortSignal }): Promise<void> {
    const { maxSeconds, signal } = options;
    // Of its own: nothing may come for long while the server works, and a connection that is given up ends the query there.
    const client = createClient({
      ...(this.#reader?.target ?? this.#target),
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

  async close(): Promise<void> {
    await this.#reader?.client.close();
    await this.#client.close();
  }
}

/**
 * Sends a request again when its connection broke under it: everything this store sends may come twice (queries read, inserts
 * have tokens, migrations say IF NOT EXISTS).
 */
async function again<T>(send: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (const pause of RETRY_AFTER_MS) {
    try {
      return await send();
    } catch (error) {
      if (signal?.aborted || !isBrokenConnection(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  return send();
}

const isBrokenConnection = (error: unknown): boolean =>
  error instanceof Error &&
  /ECONNRESET|EPIPE|socket hang up|ERR_STREAM_PREMATURE_CLOSE/.test(
    `${(error as { code?: string }).code ?? ''} ${error.message}`,
  );
