import { accessSync, constants, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient } from '@clickhouse/client';
import type { ChdbConnection } from 'chdb/connection';
import { MillraceError } from '../errors.ts';
import { ClickHouseStore } from './clickhouse-store.ts';
import type { Limits } from './clickhouse-store.ts';
import { literal } from './engine.ts';
import type { Engine, InsertTarget, StatementOptions } from './engine.ts';
import { Incoming } from './incoming.ts';
import { parsedTypes, structureOf, typesOf } from './parsed-types.ts';
import type { ParsedTypes } from './parsed-types.ts';
import { openError } from './open-error.ts';
import { isPacked } from '../records/pack.ts';
import { escapeParameter, SessionPool } from './sessions.ts';
import type { RawSession } from './sessions.ts';
import { findDistrusted } from './sql/existing.ts';
import { SqlJudge } from './sql/judge.ts';
import { readText, textRows } from './client-text.ts';

/** Errors reach the caller; the client need not print them too. */
const SILENT = { level: ClickHouseLogLevel.OFF };

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

/** The database of the tables. */
export const DATABASE = 'millrace';

/**
 * Statements that run at once for questions. Each holds one of the threads that Node.js shares among files, name look-ups and
 * the engine: 4, unless UV_THREADPOOL_SIZE says otherwise. Two are left to inserts and files.
 */
const QUERY_SESSIONS = Math.min(8, Math.max(2, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 2));
const MIB = 1024 * 1024;

/** The engine binds one folder per process. */
let openPath: string | undefined;

/**
 * Opens ClickHouse inside this process (chdb). Call `migrate()` before the first insert.
 *
 * Throws `data_loss` when files of the folder are damaged, `failed_precondition` when another process has it open, when this process has a store open already, and in
 * worker threads (the engine crashes there); `permission_denied` when the folder cannot be written; `unavailable` when the
 * engine's library is not installed.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const maxMemoryBytes = options.maxMemoryBytes ?? 1024 * MIB;
  const engine = await EmbeddedEngine.open(options.path, maxMemoryBytes);
  // An insert is in nobody's way; whoever asks waits for the answer.
  const queryThreads = Math.min(4, availableParallelism());
  return new EmbeddedStore(engine, { threads: 1, queryThreads, maxQueryBytes: Math.round(maxMemoryBytes / 2) });
}

/** A store whose engine is in this process, so that it can be served to others (src/store/http). */
export class EmbeddedStore extends ClickHouseStore {
  readonly engine: EmbeddedEngine;

  constructor(engine: EmbeddedEngine, limits: Limits = {}) {
    super(engine, limits);
    this.engine = engine;
  }
}

/** Loaded only when a store is opened: the library takes about 200 MB of memory. */
function loadChdb(): {
  Session: typeof import('chdb').Session;
  connect: typeof import('chdb/connection').createChdbConnection;
  drain: typeof import('chdb').drainPending;
} {
  const require = createRequire(import.meta.url);
  const { Session, drainPending } = require('chdb') as typeof import('chdb');
  const { createChdbConnection } = require('chdb/connection') as typeof import('chdb/connection');
  return { Session, connect: createChdbConnection, drain: drainPending };
}

/** The engine under the embedded store: several connections on one folder, one for inserts, the others for queries. */
export class EmbeddedEngine implements Engine {
  readonly #root: { close(): void };
  readonly #writer: Connection;
  /** For questions, from here and from outside. */
  readonly sessions: SessionPool;
  /** Where the data is. */
  readonly path: string;
  readonly judge: SqlJudge;
  readonly #drain: () => Promise<void>;
  readonly #running = new Set<Promise<unknown>>();
  readonly #incoming: Incoming;
  /** Of tables that packed rows came for. */
  readonly #types = new Map<string, ParsedTypes>();

  private constructor(
    path: string,
    root: { close(): void },
    connections: { writer: Connection; sessions: SessionPool },
    drain: () => Promise<void>,
  ) {
    this.path = path;
    this.#root = root;
    this.#writer = connections.writer;
    this.sessions = connections.sessions;
    this.judge = new SqlJudge({
      ask: (sql) => this.#rows(sql),
      explain: (sql, parameters) => this.#track(this.sessions.explain(sql, parameters)),
      database: DATABASE,
    });
    this.#drain = drain;
    this.#incoming = new Incoming(path);
  }

  /** See {@link openEmbeddedStore}. */
  static async open(folder: string, maxMemoryBytes: number): Promise<EmbeddedEngine> {
    if (!isMainThread) {
      throw new MillraceError('failed_precondition', 'the embedded ClickHouse must run in the main thread of its process');
    }
    const path = resolve(folder);
    if (openPath !== undefined) {
      throw new MillraceError('failed_precondition', `this process has a trajectory store open in ${openPath}; close it first`);
    }
    openPath = path;
    try {
      mkdirSync(path, { recursive: true });
      accessSync(path, constants.R_OK | constants.W_OK);
      const engine = EmbeddedEngine.#start(path, maxMemoryBytes);
      try {
        await engine.#prepare();
        return engine;
      } catch (error) {
        await engine.close();
        throw error;
      }
    } catch (error) {
      openPath = undefined;
      throw openError(error, path);
    }
  }

  static #start(path: string, maxMemoryBytes: number): EmbeddedEngine {
    const { Session, connect, drain } = loadChdb();
    // The first session decides how the engine starts; the other connections join it. The caches' defaults are made for
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
      return { connection, client: createClient({ connection: connection as unknown as Pluggable, log: SILENT }) };
    };
    const openRaw = (): RawSession => new Session(path) as unknown as RawSession;
    const sessions = new SessionPool(openRaw, { size: QUERY_SESSIONS, database: DATABASE });
    return new EmbeddedEngine(path, root, { writer: open(), sessions }, drain);
  }

  async #prepare(): Promise<void> {
    await this.run(`CREATE DATABASE IF NOT EXISTS ${DATABASE} ENGINE = Atomic`);
    await this.run(`USE ${DATABASE}`);
    await this.sessions.prepare();
    // The engine's own default database shows the file system as tables: SELECT * FROM '/etc/passwd'.
    await this.run('DETACH DATABASE IF EXISTS default');
    this.judge.distrust(await findDistrusted(this.judge, (sql) => this.#rows(sql)));
  }

  async #rows(sql: string): Promise<string[][]> {
    return textRows((await this.sessions.run({ sql })).bytes);
  }

  run(sql: string, options: StatementOptions = {}): Promise<string> {
    if (options.reading) return this.#ask(sql, options);
    // It may change a table.
    this.#types.clear();
    return this.#track(this.#write(sql, options));
  }

  async #write(sql: string, { parameters, signal }: StatementOptions = {}): Promise<string> {
    const { stream } = await this.#writer.client.exec({
      query: sql,
      ...(parameters && { query_params: parameters }),
      ...(signal && { abort_signal: signal }),
    });
    return readText(stream);
  }

  async #ask(sql: string, { parameters = {}, signal, long = false }: StatementOptions): Promise<string> {
    const texts = Object.entries(parameters).map(([name, value]) => [name, escapeParameter(String(value))] as const);
    const { bytes } = await this.sessions.run({
      sql,
      kind: long ? 'file' : 'question',
      format: 'CSV',
      parameters: Object.fromEntries(texts),
      ...(signal && { signal }),
    });
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  }

  insert(into: InsertTarget, rows: Uint8Array): Promise<void> {
    return this.#track(isPacked(rows) ? this.#insertPacked(into, rows) : this.#insertText(into, rows));
  }

  async #insertPacked({ table, columns, settings }: InsertTarget, rows: Uint8Array): Promise<void> {
    const list = Object.entries(settings).map(([name, value]) => `${name} = ${literal(value)}`);
    const structure = literal(await this.#structureOf(table, columns));
    // Not FROM INFILE: the engine would parse as its own client does, and hand the blocks over.
    const from = (file: string): string =>
      `INSERT INTO ${table} (${columns.join(', ')}) SETTINGS ${list.join(', ')} SELECT * FROM file(${file}, 'JSONCompactEachRow', ${structure}, 'gzip')`;
    await this.#incoming.hand(rows, (file) => this.#writer.connection.chdb.queryAsync(from(file)));
  }

  async #insertText(into: InsertTarget, rows: Uint8Array): Promise<void> {
    // Not client.insert: it would turn settings into SET statements that stay on the connection, so that the next block with
    // no token of its own would be taken for a repetition; and it decodes the bytes into a string first.
    await this.#writer.connection.chdb.rawInsert({
      table: into.table,
      columns: into.columns,
      settings: into.settings,
      format: 'JSONCompactEachRow',
      values: rows,
    });
  }

  async #structureOf(table: string, columns: readonly string[]): Promise<string> {
    // On the connection of inserts: those for queries may be taken for minutes.
    const types = this.#types.get(table) ?? parsedTypes(await this.#write(typesOf(table)));
    this.#types.set(table, types);
    return structureOf(types, columns);
  }

  async close(): Promise<void> {
    await this.sessions.close();
    await Promise.allSettled(this.#running);
    await this.#writer.client.close();
    this.#incoming.close();
    this.#root.close();
    // A cancelled query still runs in the engine, for as long as its time limit allows.
    await this.#drain();
    openPath = undefined;
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const done = (): void => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }
}
