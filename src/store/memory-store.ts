import { MillraceError } from '../errors.ts';
import { guardQuery } from './sql/guard.ts';
import { unpackRows } from '../records/pack.ts';
import type { QueryOptions, QueryResult, Store } from './store.ts';
import { TABLES, TABLE_NAMES, type TableName, type TableShape } from '../records/tables.ts';

/** Of one insert, unpacked: what a writer's batch may be. */
const MOST_BYTES = 512 * 1024 * 1024;

/** A row as an object, keyed by column. */
export type MemoryRow = Readonly<Record<string, unknown>>;

const QUERY = new RegExp(
  [
    /^SELECT\s+(?<select>count\(\)|\*|\w+(?:\s*,\s*\w+)*)\s+FROM\s+(?<table>\w+)/,
    /(?:\s+WHERE\s+(?<column>\w+)\s*=\s*(?:'(?<literal>[^']*)'|\{(?<parameter>\w+):\w+\}))?/,
    /(?:\s+ORDER\s+BY\s+(?<order>\w+(?:\s*,\s*\w+)*))?(?:\s+LIMIT\s+(?<limit>\d+))?$/,
  ]
    .map((part) => part.source)
    .join(''),
  'i',
);

/**
 * The store of serial mode and tests: rows by natural key; of several the newest wins, as the table tells it.
 *
 * `query` knows only `SELECT count() | * | columns FROM table [WHERE column = 'text' | {name:Type}] [ORDER BY columns]
 * [LIMIT n]`, and throws `unimplemented` for other reads.
 */
export class MemoryStore implements Store {
  /** Values of each row by its natural key: most rows are never read. */
  readonly #tables = new Map<TableName, Map<string, readonly unknown[]>>(TABLE_NAMES.map((table) => [table, new Map()]));
  #migrated = false;
  #closed = false;

  migrate(): Promise<number[]> {
    return this.#run(() => {
      const applied = this.#migrated ? [] : [1];
      this.#migrated = true;
      return applied;
    });
  }

  insert(table: TableName, rows: Uint8Array, _token: string): Promise<void> {
    return this.#run(() => {
      const shape = TABLES[table];
      const { key, newest } = shape;
      const parsed = Buffer.from(unpackRows(rows, MOST_BYTES))
        .toString('utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => parseLine(line, shape));
      const stored = this.#tables.get(table)!;
      for (const values of parsed) {
        const id = JSON.stringify(key.map((index) => values[index]));
        const known = newest === undefined ? undefined : stored.get(id);
        if (known === undefined || Number(values[newest!]) >= Number(known[newest!])) stored.set(id, values);
      }
    });
  }

  query(sql: string, options: QueryOptions = {}): Promise<QueryResult> {
    return this.#run(() => {
      if (options.signal?.aborted) throw new MillraceError('cancelled', 'query cancelled');
      const groups = QUERY.exec(guardQuery(sql).sql)?.groups;
      if (!groups) throw new MillraceError('unimplemented', 'the in-memory store reads only one table with simple conditions');
      const table = groups['table'] as TableName;
      if (!(table in TABLES)) throw new MillraceError('invalid_argument', `there is no table ${table}`, { field: 'sql' });
      let rows = this.rows(table);
      if (groups['column'] !== undefined) {
        const wanted = groups['literal'] ?? options.parameters?.[groups['parameter']!];
        rows = rows.filter((row) => String(row[groups['column']!]) === String(wanted));
      }
      if (groups['order'] !== undefined)
        rows = sortBy(
          rows,
          groups['order'].split(',').map((name) => name.trim()),
        );
      if (groups['select']!.toLowerCase() === 'count()')
        return { columns: [{ name: 'count()', type: 'UInt64' }], rows: [[rows.length]], truncated: false };
      if (groups['limit'] !== undefined) rows = rows.slice(0, Number(groups['limit']));
      return project(table, rows, groups['select']!, options.maxRows ?? 10_000);
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  /** The rows of a table, one a natural key, in order of insertion. */
  rows(table: TableName): MemoryRow[] {
    const { columns } = TABLES[table];
    return [...this.#tables.get(table)!.values()].map((values) => {
      const row = Object.fromEntries(columns.map((column, index) => [column, values[index]]));
      return table === 'steps' ? withFlags(row) : row;
    });
  }

  async #run<T>(work: () => T): Promise<T> {
    if (this.#closed) throw new MillraceError('failed_precondition', 'the store is closed');
    return work();
  }
}

function parseLine(line: string, { columns, added }: TableShape): unknown[] {
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch (cause) {
    throw new MillraceError('invalid_argument', `a row is not JSON: ${line.slice(0, 80)}`, { cause });
  }
  const defaults = Object.values(added);
  const width = columns.length;
  const missing = Array.isArray(values) ? width - values.length : -1;
  if (missing < 0 || missing > defaults.length) {
    throw new MillraceError('invalid_argument', `a row is not an array of ${width} values: ${line.slice(0, 80)}`);
  }
  return [...(values as unknown[]), ...defaults.slice(defaults.length - missing)];
}

function withFlags({ state_flags_base64: base64, ...row }: MemoryRow): MemoryRow {
  const bytes = Buffer.from(String(base64), 'base64');
  const flags = Array.from({ length: bytes.length >> 2 }, (_, index) => bytes.readFloatLE(index * 4));
  return { ...row, state_flags: flags };
}

function sortBy(rows: readonly MemoryRow[], columns: readonly string[]): MemoryRow[] {
  return [...rows].sort((a, b) => {
    for (const column of columns) {
      const [x, y] = [a[column] as string | number, b[column] as string | number];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  });
}

function project(table: TableName, rows: readonly MemoryRow[], select: string, maxRows: number): QueryResult {
  const known = TABLES[table].columns.map((name) => (name === 'state_flags_base64' ? 'state_flags' : name));
  const names = select === '*' ? known : select.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new MillraceError('invalid_argument', `table ${table} has no column ${unknown}`, { field: 'sql' });
  const kept = rows.slice(0, maxRows);
  return {
    columns: names.map((name) => ({ name, type: typeName(kept[0]?.[name]) })),
    rows: kept.map((row) => names.map((name) => row[name])),
    truncated: rows.length > maxRows,
  };
}

function typeName(value: unknown): string {
  if (typeof value === 'number') return 'Float64';
  if (typeof value === 'boolean') return 'Bool';
  if (Array.isArray(value)) return 'Array(Float64)';
  return typeof value === 'object' ? 'Map(String, Float64)' : 'String';
}
