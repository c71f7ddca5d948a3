import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import type { ChdbConnection } from 'chdb/connection';
import { MillraceError } from '../errors.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import { readText } from './client-text.ts';
import type { Engine, InsertTarget, RunOptions } from './engine.ts';

/** Options of {@link openEmbeddedStore}. */
export interface EmbeddedStoreOptions {
  /** Folder of the data; made when missing. One process at a time. */
  path: string;
  /** Bytes the engine may use before it refuses queries and inserts. Default 1 GiB. */
  maxMemoryBytes?: number;
}

interface Connection {
  client: ClickHouseClient;
  connection: ChdbConnection;
}

const DATABASE = 'millrace';
const MIB = 1024 * 1024;

/** The engine binds one folder per process. */
let openPath: string | undefined;

/**
 * Opens ClickHouse inside this process (chdb). Call `migrate()` before the first insert.
 *
 * Throws `failed_precondition` when another process has the folder open, when this process has a store open already, and in
 * worker threads (the engine crashes there); `unavailable` when the engine's library is not installed.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<ClickHouseStore> {
  if (!isMainThread) {
    throw new MillraceError('failed_precondition', 'the embedded ClickHouse must run in the main thread of its process');
  }
  const path = resolve(options.path);
  if (openPath !== undefined) {
    throw new MillraceError('failed_precondition', `this process has a trajectory store open in ${openPath}; close it first`);
  }
  openPath = path;
  try {
    const engine = await EmbeddedEngine.open(path, options.maxMemoryBytes ?? 1024 * MIB);
    return new ClickHouseStore(engine, { threads: 1, maxQueryBytes: Math.round((options.maxMemoryBytes ?? 1024 * MIB) / 2) });
  } catch (error) {
    openPath = undefined;
    throw openError(error, path);
  }
}

/** Loaded only when a store is opened: the library takes about 200 MB of memory. */
function loadChdb(): { Session: typeof import('chdb').Session; connect: typeof import('chdb/connection').createChdbConnection } {
  const require = createRequire(import.meta.url);
  const { Session } = require('chdb') as typeof import('chdb');
  const { createChdbConnection } = require('chdb/connection') as typeof import('chdb/connection');
  return { Session, connect: createChdbConnection };
}

class EmbeddedEngine implements Engine {
  readonly #root: { close(): void };
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #running = new Set<Promise<unknown>>();

  private constructor(root: { close(): void }, writer: Connection, reader: Connection) {
    this.#root = root;
    this.#writer = writer;
    this.#reader = reader;
  }

  static async open(path: string, maxMemoryBytes: number): Promise<EmbeddedEngine> {
    mkdirSync(path, { recursive: true });
    const { Session, connect } = loadChdb();
    // The first session decides how the engine starts; the two connections join it. The caches' defaults are made for
    // servers (5 GiB each).
    const root = new Session(path, {
      connectionArgs: [
        `--max_server_memory_usage=${maxMemoryBytes}`,
        `--mark_cache_size=${16 * MIB}`,
        `--primary_index_cache_size=${16 * MIB}`,
        `--index_mark_cache_size=${4 * MIB}`,
        `--query_condition_cache_size=${4 * MIB}`,
        `--compiled_expression_cache_size=${4 * MIB}`,
        '--compile_expressions=0',
        '--compile_aggregate_expressions=0',
        '--compile_sort_description=0',
      ],
    });
    const open = (): Connection => {
      const connection = connect({ path });
      // chdb's types come from another copy of the client's contract; its shape is the same.
      type Pluggable = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;
      return { connection, client: createClient({ connection: connection as unknown as Pluggable }) };
    };
    const engine = new EmbeddedEngine(root, open(), open());
    try {
      await engine.run(`CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`);
      for (const reading of [false, true]) await engine.run(`USE ${DATABASE}`, { reading });
      // The engine's own default database shows the file system as tables: SELECT * FROM '/etc/passwd'.
      await engine.run('DETACH DATABASE IF EXISTS default');
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  run(sql: string, options: RunOptions = {}): Promise<string> {
    const { client } = options.reading ? this.#reader : this.#writer;
    return this.#track(
      (async () => {
        const { stream } = await client.exec({
          query: sql,
          ...(options.parameters && { query_params: options.parameters }),
          ...(options.signal && { abort_signal: options.signal }),
        });
        return readText(stream);
      })(),
    );
  }

  insert(into: InsertTarget, rows: Uint8Array): Promise<void> {
    // Not client.insert: it would turn settings into SET statements that stay on the connection, so that the next block with
    // no token of its own would be taken for a repetition; and it decodes the bytes into a string first.
    return this.#track(
      this.#writer.connection.chdb
        .rawInsert({
          table: into.table,
          columns: into.columns,
          settings: into.settings,
          format: 'JSONCompactEachRow',
          values: rows,
        })
        .then(() => undefined),
    );
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#reader.client.close();
    await this.#writer.client.close();
    this.#root.close();
    openPath = undefined;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const done = (): void => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }
}

function openError(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/Cannot lock file/.test(message)) {
    return new MillraceError(
      'failed_precondition',
      `another process has the trajectory store in ${path} open; stop it, use another folder, or set CLICKHOUSE_URL to share a server`,
      { cause: error },
    );
  }
  if (/Cannot find module|MODULE_NOT_FOUND|libchdb|cannot open shared object/.test(message)) {
    return new MillraceError(
      'unavailable',
      `the embedded ClickHouse could not be loaded (${message.split('\n')[0]}); run npm install again, or set CLICKHOUSE_URL to use a server`,
      { cause: error, retryable: false },
    );
  }
  return new MillraceError('internal', `cannot open the trajectory store in ${path}: ${message}`, { cause: error });
}
