import type { Store } from '../store.ts';
import { decodeCursor, encodeCursor, fingerprint, linesCursor } from './cursor.ts';
import type { LinesCursor } from './cursor.ts';
import { conditionsOf } from './filter.ts';
import type { TrajectoryFilter } from './filter.ts';
import { countEntries, entries } from './pages.ts';

/** What is to be exported. */
export interface ExportRequest {
  format: 'jsonl' | 'parquet';
  /** One line or row a step instead of one a trajectory. */
  steps: boolean;
  filter: TrajectoryFilter;
  /** Of the last chunk that arrived; from the beginning when absent. */
  cursor?: string | undefined;
  /** Most bytes in a chunk. Default 262,144. */
  chunkBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** A piece of an export. */
export interface ExportChunk {
  data: Uint8Array;
  /** An export that is given this goes on after this chunk. */
  cursor: string;
  /** JSON lines: trajectories sent. Parquet: bytes. Both with what came before the cursor. */
  done: number;
  /** What `done` will be at the end, as far as is known. */
  total: number;
}

/** Bytes of a chunk when nothing else is said. */
export const CHUNK_BYTES = 256 * 1024;

/** What a cursor belongs to. */
export const exportIdentity = ({ format, steps, filter }: ExportRequest): string =>
  fingerprint([format, steps, Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1))]);

/**
 * Trajectories as JSON lines (docs/export.md), in chunks of at most `chunkBytes`. A chunk ends at the end of a line, unless a
 * line is longer than a chunk. At least one chunk comes, also when there is nothing to export. The consumer's pace is the
 * export's: the next page is read when the last chunk of this one is taken.
 */
export async function* exportLines(store: Store, request: ExportRequest & { pageSize?: number }): AsyncGenerator<ExportChunk> {
  const { steps, signal, chunkBytes = CHUNK_BYTES, pageSize } = request;
  const of = exportIdentity(request);
  const conditions = conditionsOf(request.filter);
  const start: LinesCursor = request.cursor
    ? decodeCursor(request.cursor, of, linesCursor)
    : { skip: 0, done: 0, total: await countEntries(store, conditions, signal) };
  let at = start;
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let sent = false;
  const chunk = (): ExportChunk => {
    const data = Buffer.concat(parts);
    parts = [];
    bytes = 0;
    sent = true;
    return { data, cursor: encodeCursor(at, of), done: at.done, total: Math.max(at.total, at.done) };
  };
  for await (const { position, text } of entries(store, { conditions, steps, after: start.after, signal, pageSize })) {
    let rest: Uint8Array = Buffer.from(text, 'utf8').subarray(at.skip);
    if (bytes > 0 && bytes + rest.length > chunkBytes) yield chunk();
    while (rest.length > chunkBytes) {
      parts.push(rest.subarray(0, chunkBytes));
      rest = rest.subarray(chunkBytes);
      at = { ...at, skip: at.skip + chunkBytes };
      yield chunk();
    }
    parts.push(rest);
    bytes += rest.length;
    at = { after: [...position], skip: 0, done: at.done + 1, total: at.total };
  }
  if (bytes > 0 || !sent) yield chunk();
}
