import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { MillraceError } from '../../errors.ts';
import type { Store } from '../store.ts';
import { STEP_COLUMNS, TRAJECTORY_COLUMNS } from './columns.ts';
import { decodeCursor, encodeCursor, fileCursor } from './cursor.ts';
import { CHUNK_BYTES, exportIdentity } from './export.ts';
import type { ExportChunk, ExportRequest } from './export.ts';
import type { ExportFiles } from './files.ts';
import { conditionsOf } from './filter.ts';
import { ORDER } from './position.ts';

/**
 * Rows of `trajectories`, or with `steps` of `steps`, as one Parquet file in chunks of `chunkBytes`. The engine writes the file
 * to the folder of `files` first: its own text decoding would corrupt binary results, one query makes one file with the rows of
 * one moment, and a reader who is slow or comes back holds no query open. Aborting ends the query.
 */
export async function* exportFile(store: Store, files: ExportFiles, request: ExportRequest): AsyncGenerator<ExportChunk> {
  const { cursor, signal, chunkBytes = CHUNK_BYTES } = request;
  const of = exportIdentity(request);
  const sql = queryOf(request);
  let name: string;
  let done = 0;
  let keep: 'end' | 'part' | undefined;
  if (cursor) {
    ({ file: name, done } = decodeCursor(cursor, of, fileCursor));
    const bytes = files.take(name);
    if (bytes === undefined || bytes < done)
      throw new MillraceError('failed_precondition', 'the file of this export is gone; begin again without the cursor', {
        field: 'cursor',
      });
    keep = 'part';
  } else name = files.create();
  try {
    const path = files.pathOf(name);
    if (!cursor) {
      if (!store.writeFile)
        throw new MillraceError('unimplemented', 'this store has no engine that writes Parquet; export JSON lines');
      await store.writeFile(sql, path, { format: 'Parquet', ...(signal && { signal }) });
    }
    const handle = await open(path, 'r');
    try {
      const total = (await handle.stat()).size;
      await checkWhole(handle, total);
      keep = 'part';
      do {
        const data = Buffer.allocUnsafe(Math.min(chunkBytes, total - done));
        const { bytesRead } = await handle.read(data, 0, data.length, done);
        if (bytesRead < data.length) throw new MillraceError('data_loss', 'the file of this export ended too early; begin again');
        done += bytesRead;
        yield { data, cursor: encodeCursor({ file: name, done, total }, of), done, total };
      } while (done < total);
      keep = 'end';
    } finally {
      await handle.close();
    }
  } finally {
    files.release(name, keep);
  }
}

/** What is read of a file's end: a server that fails while it answers writes the reason there. */
const TAIL_BYTES = 4096;

/** A Parquet file begins and ends with the same four letters. */
async function checkWhole(handle: FileHandle, bytes: number): Promise<void> {
  const end = Buffer.alloc(Math.min(TAIL_BYTES, bytes));
  await handle.read(end, 0, end.length, bytes - end.length);
  const tail = end.toString('latin1');
  if (tail.endsWith('PAR1')) return;
  const [, reason] = /Code: \d+\. DB::Exception: ([^\r\n]+)/.exec(tail) ?? [];
  const why = reason === undefined ? '' : ` (${reason})`;
  throw new MillraceError('data_loss', `the engine wrote no whole Parquet file${why}; begin again, or export JSON lines`);
}

function queryOf({ steps, filter }: ExportRequest): string {
  const conditions = conditionsOf(filter);
  const where = (all: readonly string[]): string => (all.length > 0 ? ` WHERE ${all.join(' AND ')}` : '');
  if (!steps) {
    const columns = TRAJECTORY_COLUMNS.map(({ name }) => `t.${name}`).join(', ');
    return `SELECT ${columns} FROM trajectories AS t${where(conditions)} ORDER BY ${ORDER.map((name) => `t.${name}`).join(', ')}`;
  }
  const columns = STEP_COLUMNS.map(({ name }) => `s.${name}`).join(', ');
  const { job, ...rest } = filter;
  const all = job === undefined ? [] : conditionsOf({ job });
  if (Object.values(rest).some((value) => value !== undefined))
    all.push(`(job, trajectory_id) IN (SELECT job, trajectory_id FROM trajectories${where(conditions)})`);
  return `SELECT ${columns} FROM steps AS s${where(all)} ORDER BY ${[...ORDER, 'step'].map((name) => `s.${name}`).join(', ')}`;
}
