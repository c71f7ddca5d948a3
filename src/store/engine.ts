import type { SqlJudge } from './sql/judge.ts';

/** What a ClickHouse must do for {@link ClickHouseStore}: the embedded engine and a server differ only here. */
export interface Engine {
  /** Runs one statement and returns what it prints. Settings are in the SQL, never beside it. */
  run(sql: string, options?: StatementOptions): Promise<string>;
  /** Sends encoded rows after `INSERT ... FORMAT JSONCompactEachRow`; packed ones as they are, the engine unpacks them. */
  insert(into: InsertTarget, rows: Uint8Array): Promise<void>;
  /**
   * Runs one statement and writes what it gives, byte for byte, to a file on this machine. Absent where the engine is in this
   * process and does so itself (INTO OUTFILE).
   */
  download?(sql: string, path: string, options: { maxSeconds: number; signal?: AbortSignal }): Promise<void>;
  /** Guests run as a user whose settings say that they only read: no statement need say so, and none may. */
  readonly guestsOnlyRead?: boolean;
  /** Decides which statements of people may run. */
  readonly judge: SqlJudge;
  close(): Promise<void>;
}

export interface StatementOptions {
  /** Values for {name:Type} placeholders. */
  parameters?: Record<string, string | number>;
  signal?: AbortSignal;
  /** Runs on the connection for queries, so that a long SELECT never delays an insert. */
  reading?: boolean;
  /** SQL of people: where the engine has a user for it who may only read, it runs as that user. */
  guest?: boolean;
  /** With `reading`: it may run for long, and must not keep other questions from being answered. */
  long?: boolean;
}

export interface InsertTarget {
  table: string;
  columns: readonly string[];
  settings: Readonly<Record<string, string | number>>;
}

/** A value as a literal of SQL. */
export const literal = (value: string | number): string =>
  typeof value === 'number' ? String(value) : `'${value.replaceAll(/[\\']/g, '\\$&').replaceAll('\0', '\\0')}'`;
