import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Run } from './migrate.ts';
import { printedRows } from './printed-rows.ts';

/** A part of a table that the engine has set aside: its rows are in no answer. */
export interface DetachedPart {
  table: string;
  part: string;
  /** Of its partition; '' where the table has none, or it cannot be told. */
  job: string;
  /** Undefined where it cannot be told. */
  rows: number | undefined;
  diskBytes: number;
  /** The engine's word for why: `broken-on-start`, `broken`, `unexpected`; `detached` when somebody asked for it. */
  reason: string;
  /** Folder of what is left of it. */
  path: string;
}

/** What the engine sets aside without anything being missing: its rows are in another part, or the part was never complete. */
const HARMLESS = ['ignored', 'clone', 'covered-by-broken', 'attaching', 'deleting', 'tmp-fetch'];

/** Parts that are missing from the tables, by table and name. Their rows and jobs are known where the engine's files are at hand. */
export async function detachedParts(run: Run): Promise<DetachedPart[]> {
  const rows = await printedRows(
    run,
    `SELECT table, name, reason, bytes_on_disk, path FROM system.detached_parts
     WHERE database = currentDatabase() AND reason NOT IN (${HARMLESS.map((word) => `'${word}'`).join(', ')})
     ORDER BY table, name`,
  );
  return rows.map(([table = '', part = '', reason = '', bytes, path = '']) => ({
    table,
    part,
    job: jobOf(path),
    rows: rowsOf(path),
    diskBytes: Number(bytes ?? 0),
    reason: reason || 'detached',
    path,
  }));
}

/** "28,000 rows of steps (job retail-1) are missing: part all_1_1_0 was set aside as broken-on-start, see /x". */
export function detachedText({ table, part, job, rows, reason, path }: DetachedPart): string {
  const what = rows === undefined ? 'rows' : `${rows.toLocaleString('en-US')} rows`;
  return `${what} of table ${table}${job && ` (job ${job})`} are missing: part ${part} was set aside (${reason}); what is left of it is in ${path}`;
}

/** A part says in a file how many rows it has. */
function rowsOf(path: string): number | undefined {
  const count = /^\d+$/.exec(textOf(join(path, 'count.txt')).trim())?.[0];
  return count === undefined ? undefined : Number(count);
}

/** The partition's key, a job's id: its length in one byte, or in two, then its bytes. */
function jobOf(path: string): string {
  const bytes = Buffer.from(textOf(join(path, 'partition.dat')), 'latin1');
  const long = (bytes[0] ?? 0) >= 0x80;
  const length = long ? (bytes[0]! & 0x7f) + 128 * (bytes[1] ?? 0) : (bytes[0] ?? 0);
  const text = bytes.subarray(long ? 2 : 1).toString('utf8');
  return Buffer.byteLength(text) === length ? text : '';
}

/** '' when it cannot be read: the engine is on another machine, or the file is what broke. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
