import { createHash } from 'node:crypto';
import { z } from 'zod';
import { MillraceError } from '../../errors.ts';
import { ORDER } from './position.ts';

const count = z.int().min(0);

/** Where an export of lines stands. */
export const linesCursor = z.object({
  /** Position in the table's order of the last trajectory that was sent whole; absent at the beginning. */
  after: z
    .array(z.union([z.string(), z.number()]))
    .length(ORDER.length)
    .optional(),
  /** Bytes sent of what the next trajectory gives. */
  skip: count,
  /** Trajectories sent whole. */
  done: count,
  /** Trajectories there were when the export began. */
  total: count,
});
export type LinesCursor = z.infer<typeof linesCursor>;

/** Where the export of a file stands. */
export const fileCursor = z.object({
  /** Name of the file that the export was written to. */
  file: z.string().regex(/^[0-9a-f-]{36}$/),
  /** Bytes sent. */
  done: count,
  /** Bytes of the file. */
  total: count,
});
export type FileCursor = z.infer<typeof fileCursor>;

/** Names what is exported, so that a cursor is not used for something else. */
export const fingerprint = (what: unknown): string =>
  createHash('sha256').update(JSON.stringify(what)).digest('base64url').slice(0, 16);

/** A cursor as text, opaque to clients: base64url of JSON. */
export function encodeCursor(cursor: LinesCursor | FileCursor, of: string): string {
  return Buffer.from(JSON.stringify({ of, ...cursor })).toString('base64url');
}

/** Reads a cursor back. Throws `invalid_argument` when it is none, or belongs to another export. */
export function decodeCursor<T>(text: string, of: string, shape: z.ZodType<T>): T {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch (cause) {
    throw wrong('is none that an export gave', cause);
  }
  const whose = (read as { of?: unknown } | null)?.of;
  if (typeof whose === 'string' && whose !== of)
    throw wrong('belongs to an export with another filter or format; begin again without it');
  const cursor = shape.safeParse(read);
  if (whose === undefined || !cursor.success) throw wrong('is none that an export gave');
  return cursor.data;
}

function wrong(why: string, cause?: unknown): MillraceError {
  return new MillraceError('invalid_argument', `cursor: it ${why}.`, { field: 'cursor', ...(cause !== undefined && { cause }) });
}
