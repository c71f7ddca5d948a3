import { MillraceError } from '../errors.ts';
import { clickHouseError } from './clickhouse-error.ts';
import type { Engine } from './engine.ts';
import { literal } from './engine.ts';
import { detachedParts, type DetachedPart } from './detached.ts';
import { guardQuery, refusedQuery } from './sql/guard.ts';
import type { Guarded } from './sql/guard.ts';
import { pruneStore, storeStats } from './maintenance.ts';
import type { PrunedJob, PruneOptions, StoreStats } from './maintenance.ts';
import { migrateUp } from './migrate.ts';
import type { Run } from './migrate.ts';
import { parseResult } from './result.ts';
import { applyRetention } from './retention.ts';
import type { Retention } from './retention.ts';
import { escapeParameter } from './sessions.ts';
import type { QueryOptions, QueryResult, Store, WriteFileOptions } from './store.ts';
import { TABLES, type TableName } from '../records/tables.ts';

const DEFAULT_MAX_ROWS = 10_000;
const DEFAULT_MAX_BYTES = 512 * 1024 * 1024;

/** Limits of one statement. */
export interface Limits {
  /** Seconds a query may run. Default 60. */
  maxQuerySeconds?: number;
  /** Bytes a query may use. Default 512 MiB. */
  maxQueryBytes?: number;
  /** Threads of an insert; the server decides when absent. */
  threads?: number;
  /** Threads of a query. Default: as many as of an insert. */
  queryThreads?: number;
}

/** The Store over any ClickHouse. Made by openEmbeddedStore and openServerStore. */
export class ClickHouseStore implements Store {
  readonly #engine: Engine;
  readonly #limits: Limits;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine, limits: Limits = {}) {
    this.#engine = engine;
    this.#limits = limits;
  }

  async migrate(): Promise<number[]> {
    this.#assertOpen();
    return migrateUp((sql) => this.#engine.run(sql));
  }

  async insert(table: TableName, rows: Uint8Array, token: string): Promise<void> {
    this.#assertOpen();
    if (rows.length === 0) return;
    const { threads } = this.#limits;
    const settings = {
      insert_deduplication_token: token,
      // An acknowledged insert is a written insert.
      async_insert: 0,
      // Several parsers are for blocks much larger than ours.
      input_format_parallel_parsing: 0,
      // Rows that were under way while the cluster was upgraded, and those of choices, end before the newest columns: those get their defaults.
      ...(Object.keys(TABLES[table].added).length > 0 ? { input_format_json_compact_allow_variable_number_of_columns: 1 } : {}),
      // A job is a partition; rows of many jobs may come at once.
      max_partitions_per_insert_block: 0,
      ...(threads === undefined ? {} : { max_threads: threads, max_insert_threads: threads }),
    };
    try {
      await this.#engine.insert({ table, columns: TABLES[table].columns, settings }, rows);
    } catch (error) {
      throw clickHouseError(error, 'insert');
    }
  }

  async query(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    this.#assertOpen();
    const guarded = guardQuery(sql);
    const maxRows = options.maxRows ?? DEFAULT_MAX_ROWS;
    if (!Number.isInteger(maxRows) || maxRows < 1) {
      throw new MillraceError('invalid_argument', `maxRows must be a positive integer, not ${maxRows}`, { field: 'maxRows' });
    }
    if (options.signal?.aborted) throw new MillraceError('cancelled', 'query cancelled');
    const statement = await this.#judged(guarded, options.parameters);
    try {
      const printed = await this.#engine.run(`${statement}\nFORMAT JSONCompactEachRowWithNamesAndTypes\n${this.#tail(maxRows)}`, {
        reading: true,
        guest: true,
        ...(options.parameters && { parameters: options.parameters }),
        ...(options.signal && { signal: options.signal }),
      });
      return await parseResult(printed, maxRows);
    } catch (error) {
      throw clickHouseError(error, 'query');
    }
  }

  async writeFile(sql: string, path: string, options: WriteFileOptions): Promise<void> {
    this.#assertOpen();
    const { format, maxSeconds = 3600, signal } = options;
    const statement = await this.#judged(guardQuery(sql));
    if (signal?.aborted) throw new MillraceError('cancelled', 'query cancelled');
    const { threads, maxQueryBytes = DEFAULT_MAX_BYTES } = this.#limits;
    const settings = [
      ...(this.#engine.guestsOnlyRead ? [] : ['readonly = 1']),
      'final = 1',
      `max_execution_time = ${maxSeconds}, max_memory_usage = ${maxQueryBytes}`,
      // Rows are sorted already; what is held is one group of them.
      'output_format_parquet_row_group_size = 65536, output_format_parquet_row_group_size_bytes = 33554432',
      ...(threads === undefined ? [] : [`max_threads = ${threads}`]),
    ].join(', ');
    try {
      if (this.#engine.download) {
        const query = `${statement}\nFORMAT ${format}\nSETTINGS ${settings}`;
        await this.#engine.download(query, path, { maxSeconds, ...(signal && { signal }) });
      } else {
        const query = `${statement}\nINTO OUTFILE ${literal(path)} TRUNCATE\nFORMAT ${format}\nSETTINGS ${settings}`;
        await this.#engine.run(query, { reading: true, long: true, ...(signal && { signal }) });
      }
    } catch (error) {
      throw clickHouseError(error, 'query');
    }
  }

  /** See {@link applyRetention}. Call it after `migrate()`. */
  retain(retention: Retention): Promise<string[]> {
    return this.#maintain((run) => applyRetention(run, retention));
  }

  /** See {@link storeStats}. */
  stats(): Promise<StoreStats> {
    return this.#maintain(storeStats, true);
  }

  /** See {@link detachedParts}. */
  detached(): Promise<DetachedPart[]> {
    return this.#maintain(detachedParts, true);
  }

  /** See {@link pruneStore}. */
  prune(options: PruneOptions): Promise<PrunedJob[]> {
    return this.#maintain((run) => pruneStore(run, options));
  }

  /** Waits for what runs, then lets go of the engine. Closing twice is one close. */
  close(): Promise<void> {
    this.#closing ??= this.#engine.close();
    return this.#closing;
  }

  /** The statement, when everything in it is known to be harmless. Throws `invalid_argument` otherwise. */
  async #judged({ sql, tokens }: Guarded, parameters: Record<string, string | number> = {}): Promise<string> {
    const texts = Object.entries(parameters).map(([name, value]) => [name, escapeParameter(String(value))]);
    const judged = this.#engine.judge.read(sql, tokens, { parameters: Object.fromEntries(texts) as Record<string, string> });
    const refused = await judged.catch((error: unknown) => {
      throw clickHouseError(error, 'query');
    });
    if (refused) throw refusedQuery(refused);
    return sql;
  }

  #tail(maxRows: number): string {
    const { threads, queryThreads = threads, maxQuerySeconds = 60, maxQueryBytes = DEFAULT_MAX_BYTES } = this.#limits;
    const settings: Record<string, string | number> = {
      ...(this.#engine.guestsOnlyRead ? {} : { readonly: 1 }),
      // Redelivered rows that no merge has collapsed yet are not counted twice.
      final: 1,
      max_execution_time: maxQuerySeconds,
      max_memory_usage: maxQueryBytes,
      // Stops after the block that reaches one row too many; parseResult cuts to the row.
      max_result_rows: maxRows + 1,
      result_overflow_mode: `'break'`,
      output_format_json_quote_64bit_integers: 1,
      output_format_json_quote_denormals: 1,
    };
    if (queryThreads !== undefined) settings['max_threads'] = queryThreads;
    return `SETTINGS ${Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}`)
      .join(', ')}`;
  }

  async #maintain<T>(work: (run: Run) => Promise<T>, reading = false): Promise<T> {
    this.#assertOpen();
    try {
      return await work((sql) => this.#engine.run(sql, { reading }));
    } catch (error) {
      throw clickHouseError(error, reading ? 'query' : 'migrate');
    }
  }

  #assertOpen(): void {
    if (this.#closing) throw new MillraceError('failed_precondition', 'the store is closed');
  }
}
