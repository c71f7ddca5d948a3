import type { TableName } from '../records/tables.ts';

/** Port: the trajectory store. Rows travel as text in ClickHouse's JSONCompactEachRow, in the column order of src/records/tables.ts. */
export interface Store {
  /** Brings the schema to the newest version. Returns the versions applied. */
  migrate(): Promise<number[]>;
  /**
   * Inserts rows, packed (src/records/pack.ts) or not. Inserting the same rows again (same natural keys) leaves one of each visible.
   * `token` makes an immediate retry of the same batch a no-op.
   */
  insert(table: TableName, rows: Uint8Array, token: string): Promise<void>;
  /** One read-only statement; `invalid_argument` for anything that writes, or with ClickHouse's message when it is wrong. */
  query(sql: string, options?: QueryOptions): Promise<QueryResult>;
  /**
   * Writes what one read-only statement gives to a file on this machine, in one of ClickHouse's formats; a file that is there is
   * written over. Aborting ends the statement in the engine, what is in the file then means nothing. Absent where no engine can.
   */
  writeFile?(sql: string, path: string, options: WriteFileOptions): Promise<void>;
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Default 10_000. More rows set `truncated`. */
  maxRows?: number;
  /** Values for {name:Type} placeholders. */
  parameters?: Record<string, string | number>;
  signal?: AbortSignal;
}

export interface WriteFileOptions {
  /** `Parquet`. */
  format: 'Parquet';
  /** Seconds it may take. Default 3600. */
  maxSeconds?: number;
  signal?: AbortSignal;
}

export interface QueryResult {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
}
